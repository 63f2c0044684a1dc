import assert from 'node:assert/strict';
import { constants } from 'node:fs';
import { test } from 'node:test';
import { type NodeId, ROOT_NODE_ID } from '../../src/base/ids.ts';
import { TOP_LEVEL_DIRECTORIES } from '../../src/tree/places.ts';
import { RootTree } from '../../src/tree/root-tree.ts';
import { type Caller, FOREVER_SECONDS } from '../../src/vfs/file-system.ts';

const caller: Caller = { uid: 1000, gid: 1000, pid: 1, resent: false, signal: undefined };
const makeTree = (nowMs = 1_795_000_000_999): RootTree =>
  new RootTree({ clock: { nowMs: () => nowMs, monotonicMs: () => 0 }, uid: 12, gid: 34 });

test('RootTree: each top-level directory is found by name, with the node id its listing tells', () => {
  const tree = makeTree();
  const listed = [...tree.readDirectory(caller, ROOT_NODE_ID, 0, 0)];
  assert.deepEqual(
    listed.map(({ name }) => name),
    TOP_LEVEL_DIRECTORIES,
  );
  for (const { name, nodeId, type } of listed) {
    const { attributes } = tree.lookup(caller, ROOT_NODE_ID, name);
    assert.equal(attributes?.nodeId, nodeId);
    assert.equal((attributes?.mode ?? 0) & constants.S_IFMT, type);
    assert.deepEqual(tree.getAttributes(caller, nodeId).attributes, attributes);
  }
});

test('RootTree: a name it does not have is a negative answer that holds forever', () => {
  const entry = makeTree().lookup(caller, ROOT_NODE_ID, 'volumes-of-tomorrow');
  assert.deepEqual(entry, {
    attributes: undefined,
    entryTimeoutSeconds: FOREVER_SECONDS,
    attributeTimeoutSeconds: FOREVER_SECONDS,
  });
});

test('RootTree: there is nothing in the directories that others are mounted on', () => {
  const tree = makeTree();
  const child = (ROOT_NODE_ID + 1) as NodeId;
  assert.deepEqual([...tree.readDirectory(caller, child, 0, 0)], []);
  assert.equal(tree.lookup(caller, child, TOP_LEVEL_DIRECTORIES[0] as string).attributes, undefined);
});

test('RootTree: a listing goes on after its cookie and ends', () => {
  const tree = makeTree();
  const all = [...tree.readDirectory(caller, ROOT_NODE_ID, 0, 0)];
  for (const [index, { cookie }] of all.entries()) {
    assert.ok(cookie > 0, 'zero is the start');
    assert.deepEqual([...tree.readDirectory(caller, ROOT_NODE_ID, 0, cookie)], all.slice(index + 1));
  }
});

test('RootTree: directories belong to the daemon, are open to all, and count what is in them', () => {
  const { attributes } = makeTree().getAttributes(caller, ROOT_NODE_ID);
  assert.deepEqual(attributes, {
    nodeId: ROOT_NODE_ID,
    mode: constants.S_IFDIR | 0o755,
    nlink: 2 + TOP_LEVEL_DIRECTORIES.length,
    uid: 12,
    gid: 34,
    sizeBytes: 4096,
    blocks: 0,
    mtime: { seconds: 1_795_000_000, nanoseconds: 0 },
  });
  assert.equal(makeTree().getAttributes(caller, (ROOT_NODE_ID + 1) as NodeId).attributes.nlink, 2);
});

test('RootTree: a node that never was is STALE', () => {
  const tree = makeTree();
  for (const node of [0, ROOT_NODE_ID + 1 + TOP_LEVEL_DIRECTORIES.length, 2 ** 40]) {
    assert.throws(() => tree.getAttributes(caller, node as NodeId), { code: 'STALE' });
  }
});

test('RootTree: statfs shows a full file system that df does not hide', () => {
  const status = makeTree().statFileSystem();
  assert.ok(status.blocks > 0);
  assert.deepEqual([status.blocksFree, status.blocksAvailable, status.filesFree], [0, 0, 0]);
  assert.equal(status.nameBytesMax, 255);
});

test('RootTree: every operation that would change it is left out, so that the transport says EROFS', () => {
  const tree: object = makeTree();
  const changing = ['makeDirectory', 'makeSymlink', 'unlink', 'removeDirectory', 'rename', 'setAttributes', 'write'];
  for (const operation of changing) assert.ok(!(operation in tree), operation);
});
