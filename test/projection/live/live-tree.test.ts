import assert from 'node:assert/strict';
import { constants } from 'node:fs';
import { describe, it } from 'node:test';
import type { NodeId } from '../../../src/base/ids.ts';
import { FOPEN } from '../../../src/fuse/abi.ts';
import { LIVE_NODE_ID } from '../../../src/projection/live/live-ids.ts';
import { caller, LiveScene } from './live-scene.ts';

const REFUSED = { code: 'READ_ONLY' };

describe('LiveTree: what is there', () => {
  it('shows the published content as files and directories, with mode, size and owner', async (t) => {
    const scene = new LiveScene(t);
    await scene.write(scene.create('web'), { a: 'one', 'd/e/f': 'deep' });
    scene.create('unwritten');
    assert.deepEqual(scene.names(''), ['web']);
    assert.deepEqual(scene.names('web'), ['a', 'd']);
    assert.deepEqual(scene.names('web/d/e'), ['f']);
    const { mode, sizeBytes, uid, gid, nlink } = scene.attributes(scene.node('web/d/e/f'));
    assert.deepEqual([mode, sizeBytes, uid, gid, nlink], [constants.S_IFREG | 0o644, 4, 1, 2, 1]);
    assert.equal(scene.attributes(scene.node('web')).mode, constants.S_IFDIR | 0o755);
    assert.equal(await scene.readPath('web/d/e/f'), 'deep');
    assert.equal(scene.walk('web/missing'), undefined);
    assert.equal(scene.walk('unwritten'), undefined);
  });

  it('lets the kernel keep neither a name nor attributes nor content', async (t) => {
    const scene = new LiveScene(t);
    await scene.write(scene.create('web'), { a: 'one' });
    const web = scene.node('web');
    for (const name of ['a', 'missing']) {
      const { entryTimeoutSeconds, attributeTimeoutSeconds } = scene.tree.lookup(caller, web, name);
      assert.deepEqual([entryTimeoutSeconds, attributeTimeoutSeconds], [0, 0], name);
    }
    assert.equal(scene.tree.getAttributes(caller, web).attributeTimeoutSeconds, 0);
    assert.equal(scene.tree.open(caller, scene.node('web/a'), 0).flags, FOPEN.DIRECT_IO);
  });

  it('lists the inodes that stat shows, and goes on after any cookie', async (t) => {
    const scene = new LiveScene(t);
    const files = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`file-${index}`, 'x']));
    await scene.write(scene.create('web'), files);
    const all = [...scene.tree.readDirectory(caller, scene.node('web'), 0, 0)];
    assert.equal(all.length, 200);
    for (const { name, nodeId } of all) assert.equal(scene.node(`web/${name}`), nodeId);
    for (const [index, { cookie }] of all.entries()) {
      const rest = [...scene.tree.readDirectory(caller, scene.node('web'), 0, cookie)];
      assert.equal(rest[0]?.name, all[index + 1]?.name);
      assert.equal(rest.length, all.length - index - 1);
    }
  });

  it('shows the size of the projection in statfs', async (t) => {
    const scene = new LiveScene(t);
    await scene.write(scene.create('web'), { a: 'x'.repeat(10_000), b: 'y' });
    await scene.write(scene.create('other'), { a: 'x'.repeat(100_000) });
    const { blocks, files } = scene.tree.statFileSystem(caller, scene.node('web/b'));
    assert.deepEqual([blocks, files], [3, 2]);
  });

  it('is STALE for a node that never was', (t) => {
    const scene = new LiveScene(t);
    assert.throws(() => scene.attributes((LIVE_NODE_ID + 77) as NodeId), { code: 'STALE' });
  });
});

describe('LiveTree: swaps', () => {
  it('[S50] keeps the inode, and shows the new content to a new open at once', async (t) => {
    const scene = new LiveScene(t);
    const id = scene.create('web');
    await scene.write(id, { a: 'one' });
    const first = scene.node('web/a');
    for (const text of ['two', 'three, longer', '']) {
      await scene.write(id, { a: text });
      assert.equal(scene.node('web/a'), first);
      assert.equal(scene.attributes(first).sizeBytes, text.length);
      assert.equal(await scene.read(first, scene.open(first)), text);
    }
  });

  it('[S51] has an open descriptor read its generation, also for a daemon that takes over', async (t) => {
    const scene = new LiveScene(t);
    const id = scene.create('web');
    const generation = await scene.write(id, { a: 'one' });
    const node = scene.node('web/a');
    const handle = scene.open(node);
    await scene.write(id, { a: 'two' });
    await scene.write(id, { b: 'a is gone' });
    assert.equal(await scene.read(node, handle), 'one');
    scene.restart();
    scene.tree.resume();
    assert.equal(await scene.read(node, handle), 'one');
    assert.equal(scene.lookups.count(generation), 1);
    scene.tree.release(node, handle, false);
    assert.equal(scene.lookups.count(generation), 0);
  });

  it('keeps content rather too long: a release that is sent again is not counted', async (t) => {
    const scene = new LiveScene(t);
    const generation = await scene.write(scene.create('web'), { a: 'one' });
    const node = scene.node('web/a');
    const handle = scene.open(node);
    scene.open(node);
    scene.tree.release(node, handle, true);
    assert.equal(scene.lookups.count(generation), 2);
  });

  it('does not show what is committed and not yet durable', async (t) => {
    const scene = new LiveScene(t);
    const id = scene.create('web');
    await scene.write(id, { a: 'old' });
    const next = await scene.stage(id, { a: 'new', b: 'added' });
    scene.tree.publications.begin(id, next);
    scene.publish(next);
    assert.equal(scene.catalog.projection(id)?.generation, next, 'in the store already');
    assert.equal(await scene.readPath('web/a'), 'old');
    assert.deepEqual(scene.names('web'), ['a']);
    scene.tree.publications.published(id);
    assert.equal(await scene.readPath('web/a'), 'new');
  });

  it('tells a file from the directory that takes its place', async (t) => {
    const scene = new LiveScene(t);
    const id = scene.create('web');
    await scene.write(id, { a: 'file' });
    const file = scene.node('web/a');
    const handle = scene.open(file);
    await scene.write(id, { 'a/b': 'inside' });
    scene.tell(id);
    const directory = scene.node('web/a');
    assert.notEqual(directory, file);
    assert.equal(await scene.readPath('web/a/b'), 'inside');
    assert.throws(() => scene.open(file), { code: 'NOT_FOUND' });
    assert.equal(scene.attributes(file).nlink, 0);
    assert.equal(await scene.read(file, handle), 'file');
    await scene.write(id, { a: 'file again' });
    scene.tell(id);
    assert.equal(scene.node('web/a'), file, 'the inode of the file is the one it had');
  });

  it('gives a directory that comes back another inode, and nothing to who holds the dead one', async (t) => {
    const scene = new LiveScene(t);
    const id = scene.create('web');
    await scene.write(id, { 'd/a': '1' });
    const dead = scene.node('web/d');
    await scene.write(id, { b: '2' });
    scene.tell(id);
    await scene.write(id, { 'd/a': '3' });
    scene.tell(id);
    const alive = scene.node('web/d');
    assert.notEqual(alive, dead);
    assert.equal(await scene.readPath('web/d/a'), '3');
    assert.equal(scene.attributes(dead).nlink, 0);
    assert.deepEqual([...scene.tree.readDirectory(caller, dead, 0, 0)], []);
    assert.equal(scene.tree.lookup(caller, dead, 'a').attributes, undefined);
    scene.restart();
    scene.tree.resume();
    assert.equal(scene.attributes(dead).nlink, 0);
    assert.equal(scene.node('web/d'), alive);
    scene.tree.forget(dead, scene.lookups.count(dead));
    assert.throws(() => scene.attributes(dead), { code: 'STALE' });
    assert.equal(scene.node('web/d'), alive);
  });

  it('shows how a removed file looked, as long as somebody has it', async (t) => {
    const scene = new LiveScene(t);
    const id = scene.create('web');
    await scene.write(id, { a: 'four', b: '' });
    const node = scene.node('web/a');
    await scene.write(id, { b: '' });
    scene.tell(id);
    const { sizeBytes, nlink } = scene.attributes(node);
    assert.deepEqual([sizeBytes, nlink], [4, 0]);
    scene.restart();
    scene.tree.resume();
    assert.equal(scene.attributes(node).nlink, 0);
    const { lookups } = scene;
    scene.tree.forget(node, lookups.count(node));
    assert.throws(() => scene.attributes(node), { code: 'STALE' });
  });
});

describe('LiveTree: Secrets', () => {
  it('fail with EIO while their source is awaited, and never read as empty', async (t) => {
    const scene = new LiveScene(t);
    scene.protection = 'secret';
    await scene.write(scene.create('db'), { password: 'swordfish' });
    const node = scene.node('db/password');
    const handle = scene.open(node);
    assert.equal(await scene.read(node, handle), 'swordfish');
    scene.rebooted();
    assert.equal(scene.attributes(node).sizeBytes, 9);
    assert.throws(() => scene.tree.read(caller, node, scene.open(node), 0, 100), { code: 'AWAITING_SOURCE' });
    assert.throws(() => scene.tree.read(caller, node, handle, 0, 100), { code: 'AWAITING_SOURCE' });
  });
});

describe('LiveTree: who may do what', () => {
  it('[S54] refuses whatever nobody waits for', async (t) => {
    const scene = new LiveScene(t);
    await scene.write(scene.create('web'), { a: 'one', 'd/e': 'x' });
    const { tree } = scene;
    const [web, file] = [scene.node('web'), scene.node('web/a')];
    for (const flags of [constants.O_WRONLY, constants.O_RDWR, constants.O_WRONLY | constants.O_APPEND]) {
      assert.throws(() => tree.open(caller, file, flags), REFUSED);
    }
    assert.throws(() => tree.write(caller, file, 0, 0, new Uint8Array(1)), REFUSED);
    assert.throws(() => tree.setAttributes(caller, file, { mode: 0o600 }), REFUSED);
    assert.throws(() => tree.setAttributes(caller, file, { sizeBytes: 0 }), REFUSED);
    assert.throws(() => tree.setAttributes(caller, web, { mode: 0o755 }), REFUSED);
    for (const parent of [LIVE_NODE_ID, web]) {
      assert.throws(() => tree.makeDirectory(caller, parent, 'new'), REFUSED);
      assert.throws(() => tree.makeFile(caller, parent, 'new'), REFUSED);
    }
    assert.throws(() => tree.unlink(caller, web, 'a'), REFUSED);
    assert.throws(() => tree.removeDirectory(caller, web, 'd'), REFUSED);
    assert.throws(() => tree.removeDirectory(caller, LIVE_NODE_ID, 'web'), REFUSED);
  });

  it('tells who opened which file for reading, and not of announcements', async (t) => {
    const scene = new LiveScene(t);
    const projection = scene.create('web');
    await scene.write(projection, { 'd/a': 'one' });
    const node = scene.node('web/d/a');
    const generation = await scene.write(projection, { 'd/a': 'two' });
    scene.tell(projection);
    scene.open(node);
    assert.deepEqual(scene.opened, [{ projection, generation, path: 'd/a' }]);
  });
});
