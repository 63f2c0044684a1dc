import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { NodeId } from '../../src/base/ids.ts';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import { publishingEarly } from '../../src/projection/early-publication.ts';
import type { ProjectionTree } from '../../src/projection/projection-tree.ts';
import type { Caller, FileSystem } from '../../src/vfs/file-system.ts';

const CALLER: Caller = { uid: 0, gid: 0, pid: 0, resent: false, signal: undefined };
const DIRECTORY = 7 as NodeId;

let calls: string[];
let failure: Error | undefined;
let early: FileSystem;

beforeEach(() => {
  calls = [];
  failure = undefined;
  const entry = { attributes: { nodeId: 9 }, entryTimeoutSeconds: 0, attributeTimeoutSeconds: 0 };
  const tree = {
    makeSymlink: (_caller: Caller, parent: number, name: string, target: string) => {
      calls.push(`symlink ${parent}/${name} ${target}`);
      return entry;
    },
    rename: async (_caller: Caller, parent: number, name: string, newParent: number, newName: string) => {
      calls.push(`rename ${parent}/${name} ${newParent}/${newName}`);
      if (failure !== undefined) throw failure;
    },
    unlink: (_caller: Caller, parent: number, name: string) => void calls.push(`unlink ${parent}/${name}`),
    forget: (nodeId: number, count: number) => void calls.push(`forget ${nodeId} ${count}`),
  };
  early = publishingEarly(tree as unknown as ProjectionTree);
});

const link = (name: string): unknown => early.makeSymlink?.(CALLER, DIRECTORY, name, '..ts');
const rename = (name: string, newName: string): unknown =>
  early.rename?.(CALLER, DIRECTORY, name, DIRECTORY, newName, 0);

describe('publishingEarly', () => {
  it('commits with the staging link, and the rename of it asks for nothing more', async () => {
    await link('..data_tmp');
    assert.deepEqual(calls, ['symlink 7/..data_tmp ..ts', 'rename 7/..data_tmp 7/..data']);
    await rename('..data_tmp', '..data');
    assert.equal(calls.length, 2);
  });

  it('lets the tree judge every other rename, also a second one', async () => {
    await link('..data_tmp');
    await rename('..data_tmp', '..data');
    await rename('..data_tmp', '..data');
    await rename('key', 'other');
    assert.deepEqual(calls.slice(2), ['rename 7/..data_tmp 7/..data', 'rename 7/key 7/other']);
  });

  it('makes other links as they are', async () => {
    await link('key');
    assert.deepEqual(calls, ['symlink 7/key ..ts']);
  });

  it('a commit that fails fails the link, whose reference is given back', async () => {
    failure = new DunnageError('NO_SPACE', 'the disk is full');
    await assert.rejects(Promise.resolve(link('..data_tmp')), { code: 'NO_SPACE' });
    assert.equal(calls.at(-1), 'forget 9 1');
    failure = undefined;
    await rename('..data_tmp', '..data');
    assert.equal(calls.at(-1), 'rename 7/..data_tmp 7/..data', 'nothing is taken for committed');
  });

  it('a staging link that is removed is not moved any more', async () => {
    await link('..data_tmp');
    await early.unlink?.(CALLER, DIRECTORY, '..data_tmp');
    await rename('..data_tmp', '..data');
    assert.deepEqual(calls.slice(2), ['unlink 7/..data_tmp', 'rename 7/..data_tmp 7/..data']);
  });
});
