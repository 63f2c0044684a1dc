import assert from 'node:assert/strict';
import { constants as fileConstants } from 'node:fs';
import { constants } from 'node:os';
import { beforeEach, describe, it } from 'node:test';
import { silentLog } from '../../../src/base/log.ts';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import { PathServer } from '../../../src/fuse/fuse-native/operations.ts';
import { Outstanding } from '../../../src/fuse/fuse-native/outstanding.ts';
import { PathTable } from '../../../src/fuse/fuse-native/path-table.ts';
import type { PathOperations } from '../../../src/native/fuse-native.ts';
import type { FileSystem } from '../../../src/vfs/file-system.ts';
import { CALLER, FakeClock, FakeTree } from './fake-tree.ts';

const { EROFS, ENOENT, EEXIST, EIO } = constants.errno;

let tree: FakeTree & FileSystem;
let server: PathServer;
let operations: PathOperations;
let logged: string[];

beforeEach(() => {
  tree = new FakeTree();
  logged = [];
  const clock = new FakeClock();
  const paths = new PathTable({ fileSystem: tree, clock, caller: CALLER, leaseMs: 1, onLapsed: () => undefined });
  const outstanding = new Outstanding({ name: 'x', log: silentLog, clock, unansweredMs: 1 });
  const log = {
    ...silentLog,
    error: (fields: object, message: string) => void logged.push(`${message} ${JSON.stringify(fields)}`),
  };
  server = new PathServer({ name: 'x', fileSystem: tree, paths, outstanding, caller: CALLER, log });
  operations = server.operations();
});

/** What an operation answers. */
function ask(name: keyof PathOperations, ...parameters: unknown[]): Promise<unknown[]> {
  return new Promise((resolve) => {
    const call = operations[name] as (...all: unknown[]) => void;
    call(...parameters, (...answer: unknown[]) => resolve(answer));
  });
}

describe('operations of outsiders', () => {
  it('are refused with EROFS, also those that fuse-native would answer EPERM', async () => {
    const refused: readonly (readonly [keyof PathOperations, ...unknown[]])[] = [
      ['create', '/a', 0o644],
      ['mknod', '/a', 0o644, 0],
      ['link', '/a', '/b'],
      ['truncate', '/a', 0],
      ['chmod', '/a', 0],
      ['chown', '/a', 0, 0],
      ['utimens', '/a', 0, 0],
      ['setxattr', '/a', 'user.x', Buffer.alloc(0), 0, 0],
      ['removexattr', '/a', 'user.x'],
      ['mkdir', '/a', 0o755],
      ['symlink', 'target', '/a'],
      ['rename', '/a', '/b'],
      ['unlink', '/a'],
      ['rmdir', '/a'],
      ['open', '/a', fileConstants.O_RDWR],
      ['open', '/a', fileConstants.O_WRONLY | fileConstants.O_TRUNC],
    ];
    for (const [name, ...parameters] of refused) assert.deepEqual(await ask(name, ...parameters), [-EROFS], name);
  });
});

describe('a file system over paths', () => {
  it('answers attributes, listings and statuses of a node by its path', async () => {
    const a = tree.make(1, 'a');
    const b = tree.make(a, 'b');
    const [errno, attributes] = (await ask('getattr', '/a')) as [number, Record<string, number>];
    assert.deepEqual([errno, attributes['ino'], attributes['uid'], attributes['mtime']], [0, a, 12, 1002]);
    const [, names, of] = (await ask('readdir', '/a')) as [number, string[], { ino: number }[]];
    assert.deepEqual(names, ['.', '..', 'b']);
    assert.deepEqual(
      of.map(({ ino }) => ino),
      [a, 1, b],
    );
    assert.equal(((await ask('statfs', '/a/b')) as [number, { blocks: number }])[1].blocks, 100);
    assert.deepEqual(await ask('getattr', '/none'), [-ENOENT]);
  });

  it('reads from the node that was opened, until it is released', async () => {
    const a = tree.make(1, 'a');
    tree.read = (_caller, nodeId, _handle, offset, sizeBytes) =>
      Buffer.from(`content of ${nodeId}`).subarray(offset, offset + sizeBytes);
    const [, handle] = (await ask('open', '/a', fileConstants.O_RDONLY)) as [number, number];
    tree.names.clear();
    const buffer = Buffer.alloc(7, 'x');
    assert.deepEqual(await ask('read', '/a', handle, buffer, 7, 3), [7]);
    assert.equal(buffer.toString(), `content of ${a}`.slice(3, 10));
    assert.equal(server.openHandles, 1);
    assert.deepEqual(await ask('release', '/a', handle), [0, undefined]);
    assert.equal(server.openHandles, 0);
    assert.deepEqual(await ask('read', '/a', handle, buffer, 7, 0), [-EIO]);
  });

  it('looks a path up once more if its node is gone', async () => {
    const old = tree.make(1, 'a');
    await ask('getattr', '/a');
    tree.gone.add(old);
    const fresh = tree.make(1, 'a');
    const [, attributes] = (await ask('getattr', '/a')) as [number, { ino: number }];
    assert.equal(attributes.ino, fresh);
    assert.equal(tree.references.get(old), undefined);
  });

  it('opens no directory that is gone, and keeps no handle of it', async () => {
    const a = tree.make(1, 'a');
    await ask('getattr', '/a');
    tree.gone.add(a);
    tree.names.clear();
    assert.deepEqual(await ask('opendir', '/a', 0), [-ENOENT]);
    assert.equal(server.openHandles, 0);
  });

  it('makes, renames and removes what the file system lets through', async () => {
    tree.makeDirectory = (_caller, parent, name) => tree.entry(tree.make(parent, name));
    tree.removeDirectory = (_caller, parent, name) => void tree.names.delete(`${parent}/${name}`);
    tree.rename = () => {
      throw new DunnageError('ALREADY_EXISTS', 'there is one');
    };
    assert.deepEqual(await ask('mkdir', '/a', 0o755), [0, undefined]);
    assert.equal(tree.lookups, 0);
    assert.deepEqual(await ask('rename', '/a', '/b'), [-EEXIST]);
    assert.deepEqual(await ask('rmdir', '/a'), [0, undefined]);
    assert.equal(tree.references.size, 0);
    assert.deepEqual(await ask('getattr', '/a'), [-ENOENT]);
  });

  it('answers EIO to an exception, and logs it without its message', async () => {
    tree.make(1, 'a');
    tree.getAttributes = () => {
      throw new TypeError('content');
    };
    assert.deepEqual(await ask('getattr', '/a'), [-EIO]);
    assert.equal(server.exceptions, 1);
    assert.equal(logged.length, 1);
    assert.ok(logged[0]?.includes('GETATTR') && !logged[0].includes('content'));
  });
});
