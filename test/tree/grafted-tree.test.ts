import assert from 'node:assert/strict';
import { constants, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type NodeId, ROOT_NODE_ID } from '../../src/base/ids.ts';
import { LIVE_NODE_ID } from '../../src/projection/live/live-ids.ts';
import { GENERATION_ATTRIBUTE, SOURCE_SEEN_ATTRIBUTE } from '../../src/projection/projection-xattrs.ts';
import { DEVICES_NODE_ID, DeviceLinks } from '../../src/tree/device-links.ts';
import { GraftedTree } from '../../src/tree/grafted-tree.ts';
import { RootTree } from '../../src/tree/root-tree.ts';
import { caller, LiveScene } from '../projection/live/live-scene.ts';

const PROJECTIONS = 2 as NodeId;
const REFUSED = { code: 'READ_ONLY' };

function scene(t: TestContext): { live: LiveScene; tree: GraftedTree; folder: string } {
  const live = new LiveScene(t);
  const root = new RootTree({ clock: { nowMs: () => 1000, monotonicMs: () => 0 }, uid: 1, gid: 2 });
  const folder = mkdtempSync(join(tmpdir(), 'dunnage-dev-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return { live, folder, tree: new GraftedTree(root, live.tree, new DeviceLinks({ folder, uid: 1, gid: 2 })) };
}

describe('GraftedTree', () => {
  it('has the fixed directories, live and devices, by name and in the listing', (t) => {
    const { tree } = scene(t);
    const listed = [...tree.readDirectory(caller, ROOT_NODE_ID, 0, 0)];
    assert.deepEqual(
      listed.map(({ name }) => name),
      ['projections', '.audited', 'allocs', 'live', 'devices'],
    );
    for (const [index, { name, nodeId, cookie }] of listed.entries()) {
      assert.equal(tree.lookup(caller, ROOT_NODE_ID, name).attributes?.nodeId, nodeId);
      assert.deepEqual([...tree.readDirectory(caller, ROOT_NODE_ID, 0, cookie)], listed.slice(index + 1));
    }
    assert.equal(tree.lookup(caller, PROJECTIONS, 'live').attributes, undefined);
    assert.equal(tree.getAttributes(caller, ROOT_NODE_ID).attributes.nlink, 2 + 5);
    assert.ok(tree.statFileSystem(caller, ROOT_NODE_ID).blocks > 0);
  });

  it('passes what is below live on, with the references of the kernel', async (t) => {
    const { live, tree } = scene(t);
    await live.write(live.create('web'), { a: 'one' });
    const web = tree.lookup(caller, LIVE_NODE_ID, 'web').attributes?.nodeId as NodeId;
    const file = tree.lookup(caller, web, 'a').attributes?.nodeId as NodeId;
    assert.deepEqual(
      [...tree.readDirectory(caller, web, 0, 0)].map(({ name }) => name),
      ['a'],
    );
    assert.equal(tree.getAttributes(caller, file).attributes.sizeBytes, 3);
    assert.equal(tree.statFileSystem(caller, file).files, 1);
    const { handle } = tree.open(caller, file, constants.O_RDONLY);
    assert.equal(Buffer.from(await tree.read(caller, file, handle, 1, 9)).toString(), 'ne');
    tree.release(file, handle, false);
    assert.throws(() => tree.write(caller, file, 0, 0, new Uint8Array(1)), REFUSED);
    assert.throws(() => tree.setAttributes(caller, file, { mode: 0o600 }), REFUSED);
    assert.equal(live.lookups.count(file), 1);
    tree.forget(file, 1);
    assert.equal(live.lookups.count(file), 0);
  });

  it('shows what is active below devices as links, and nothing there can be changed', (t) => {
    const { tree, folder } = scene(t);
    symlinkSync('/dev/loop7', join(folder, 'fast-db'));
    const { attributes } = tree.lookup(caller, DEVICES_NODE_ID, 'fast-db');
    const node = attributes?.nodeId as NodeId;
    assert.equal((attributes?.mode ?? 0) & constants.S_IFMT, constants.S_IFLNK);
    assert.equal(tree.readLink(caller, node), join(folder, 'fast-db'));
    assert.deepEqual(
      [...tree.readDirectory(caller, DEVICES_NODE_ID, 0, 0)].map(({ name, nodeId }) => [name, nodeId]),
      [['fast-db', node]],
    );
    assert.equal(tree.getAttributes(caller, node).attributes.sizeBytes, join(folder, 'fast-db').length);
    tree.forget(node, 1);
    assert.throws(() => tree.unlink(caller, DEVICES_NODE_ID, 'fast-db'), REFUSED);
    assert.throws(() => tree.makeDirectory(caller, DEVICES_NODE_ID, 'x'), REFUSED);
    assert.throws(() => tree.open(caller, node, constants.O_RDONLY), { code: 'IS_A_DIRECTORY' });
    assert.deepEqual(tree.listExtendedAttributes(caller, node), []);
    assert.throws(() => tree.readLink(caller, DEVICES_NODE_ID), { code: 'INVALID_ARGUMENT' });
  });

  it('has extended attributes below live only', async (t) => {
    const { live, tree } = scene(t);
    await live.write(live.create('web'), { a: 'one' });
    const web = tree.lookup(caller, LIVE_NODE_ID, 'web').attributes?.nodeId as NodeId;
    const file = tree.lookup(caller, web, 'a').attributes?.nodeId as NodeId;
    for (const node of [web, file]) {
      assert.deepEqual(tree.listExtendedAttributes(caller, node), [GENERATION_ATTRIBUTE, SOURCE_SEEN_ATTRIBUTE]);
      assert.equal(String(tree.getExtendedAttribute(caller, node, GENERATION_ATTRIBUTE)), '1');
      assert.equal(tree.getExtendedAttribute(caller, node, 'security.capability'), undefined);
    }
    for (const node of [ROOT_NODE_ID, PROJECTIONS, LIVE_NODE_ID]) {
      assert.deepEqual(tree.listExtendedAttributes(caller, node), []);
      assert.equal(tree.getExtendedAttribute(caller, node, GENERATION_ATTRIBUTE), undefined);
    }
  });

  it('refuses every change beside live', (t) => {
    const { tree } = scene(t);
    for (const parent of [ROOT_NODE_ID, PROJECTIONS]) {
      assert.throws(() => tree.makeDirectory(caller, parent, 'x'), REFUSED);
      assert.throws(() => tree.makeFile(caller, parent, 'x'), REFUSED);
      assert.throws(() => tree.unlink(caller, parent, 'x'), REFUSED);
      assert.throws(() => tree.removeDirectory(caller, parent, 'live'), REFUSED);
      assert.throws(() => tree.setAttributes(caller, parent, { mode: 0o700 }), REFUSED);
      assert.throws(() => tree.write(caller, parent, 0, 0, new Uint8Array(1)), REFUSED);
      assert.throws(() => tree.open(caller, parent, constants.O_RDONLY), { code: 'IS_A_DIRECTORY' });
      assert.throws(() => tree.read(caller, parent, 0, 0, 1), { code: 'IS_A_DIRECTORY' });
      tree.forget(parent, 1);
      tree.release(parent, 0, false);
    }
  });
});
