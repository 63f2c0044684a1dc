import assert from 'node:assert/strict';
import { constants } from 'node:fs';
import { test } from 'node:test';
import type { GenerationId, NodeId, ProjectionId } from '../../src/base/ids.ts';
import { buildNodes, type FileContent, GenerationNodes } from '../../src/projection/generation-nodes.ts';
import {
  directoryAttributes,
  generationAttributes,
  linkAttributes,
  projectionAttributes,
  projectionStatus,
  rootAttributes,
  rootStatus,
  timestamp,
} from '../../src/projection/projection-attributes.ts';
import type { LoadedGeneration } from '../../src/projection/projection-nodes.ts';
import type { GenerationRecord, ProjectionRecord } from '../../src/projection/records.ts';
import { plainDigest } from '../../src/store/digest.ts';

const OWNER = { uid: 11, gid: 22 };
const ID = 100 as GenerationId;
const CREATED_AT_MS = 1_795_000_000_123;

const file = (sizeBytes: number, more: Partial<FileContent> = {}): FileContent => ({
  mode: 0o640,
  uid: undefined,
  gid: undefined,
  sizeBytes,
  digest: plainDigest(Buffer.from('x')),
  ...more,
});

function load(files: Readonly<Record<string, FileContent>>): LoadedGeneration {
  const content = buildNodes(new Map(Object.entries(files)));
  const record: GenerationRecord = {
    projection: 9 as ProjectionId,
    directory: '..2026_11_18_00_00_00.1',
    number: 1,
    createdAtMs: CREATED_AT_MS,
    nodes: content.length + 2,
    directories: content.filter(({ kind, parent }) => kind === 'directory' && parent === 0).length,
    files: Object.keys(files).length,
    sizeBytes: 0,
  };
  return { id: ID, record, nodes: new GenerationNodes(ID, content) };
}

/** Index of the node with that name, anywhere. */
function indexOf(generation: LoadedGeneration, name: string): number {
  return generation.nodes.content.findIndex((node) => node.name === name) + 2;
}

test('timestamp splits milliseconds into seconds and nanoseconds, also before the epoch', () => {
  assert.deepEqual(timestamp(1_795_000_000_123), { seconds: 1_795_000_000, nanoseconds: 123_000_000 });
  assert.deepEqual(timestamp(0), { seconds: 0, nanoseconds: 0 });
  assert.deepEqual(timestamp(-1), { seconds: -1, nanoseconds: 999_000_000 });
});

test('generationAttributes: a file shows its mode, size, time and blocks of 512 bytes', () => {
  const generation = load({ a: file(513), 'd/e': file(0) });
  const index = indexOf(generation, 'a');
  assert.deepEqual(generationAttributes(generation, index, OWNER), {
    nodeId: ID + index,
    mode: constants.S_IFREG | 0o640,
    nlink: 1,
    uid: 11,
    gid: 22,
    sizeBytes: 513,
    blocks: 2,
    mtime: { seconds: 1_795_000_000, nanoseconds: 123_000_000 },
  });
  assert.equal(generationAttributes(generation, indexOf(generation, 'e'), OWNER).blocks, 0);
});

test('generationAttributes: an owner given with the file goes before the daemon, also if it is root', () => {
  const generation = load({ a: file(1, { uid: 0, gid: 65_534 }), b: file(1, { gid: 7 }) });
  const ownerOf = (name: string): readonly number[] => {
    const { uid, gid } = generationAttributes(generation, indexOf(generation, name), OWNER);
    return [uid, gid];
  };
  assert.deepEqual(ownerOf('a'), [0, 65_534]);
  assert.deepEqual(ownerOf('b'), [11, 7]);
});

test('generationAttributes: directories count what is in them, the top one included', () => {
  const generation = load({ 'a/b/c': file(1), 'a/d/e': file(1), f: file(1) });
  const nlinkOf = (index: number): number => {
    const { mode, nlink, uid } = generationAttributes(generation, index, OWNER);
    assert.equal(mode, constants.S_IFDIR | 0o755);
    assert.equal(uid, OWNER.uid);
    return nlink;
  };
  assert.equal(nlinkOf(0), 3);
  assert.equal(nlinkOf(indexOf(generation, 'a')), 4);
  assert.equal(nlinkOf(indexOf(generation, 'b')), 2);
});

test('generationAttributes: the published link is as long as the name it leads to', () => {
  const generation = load({ a: file(1) });
  const { nodeId, mode, sizeBytes, nlink } = generationAttributes(generation, 1, OWNER);
  assert.deepEqual(
    { nodeId, mode, sizeBytes, nlink },
    {
      nodeId: ID + 1,
      mode: constants.S_IFLNK | 0o777,
      sizeBytes: Buffer.byteLength(generation.record.directory),
      nlink: 1,
    },
  );
});

test('linkAttributes: the size is in bytes, not in characters', () => {
  assert.equal(linkAttributes(5 as NodeId, '..data/größe', 0, OWNER).sizeBytes, 14);
});

test('projectionAttributes and rootAttributes: times are those of the last swap and of the start', () => {
  const record = { updatedAtMs: 2_000 } as ProjectionRecord;
  const projection = projectionAttributes(9 as NodeId, record, 1, OWNER);
  assert.deepEqual([projection.nodeId, projection.nlink, projection.mtime.seconds], [9, 3, 2]);
  const root = rootAttributes(4, 3_000, OWNER);
  assert.deepEqual([root.nodeId, root.nlink, root.mtime.seconds], [1, 6, 3]);
  assert.deepEqual(root, directoryAttributes(1 as NodeId, 4, 3_000, OWNER));
});

test('projectionStatus: as large as what it shows, rounded up to blocks, and full', () => {
  const record = { sizeBytes: 8_193, files: 7 } as GenerationRecord;
  const status = projectionStatus(record);
  assert.deepEqual([status.blocks * status.blockSizeBytes, status.files], [12_288, 7]);
  assert.deepEqual([status.blocksFree, status.blocksAvailable, status.filesFree], [0, 0, 0]);
});

test('projectionStatus: df does not hide an empty projection, nor one without content yet', () => {
  assert.equal(projectionStatus(undefined).blocks, 1);
  assert.deepEqual(projectionStatus({ sizeBytes: 0, files: 0 } as GenerationRecord), projectionStatus(undefined));
});

test('rootStatus: the size of the store and the number of projections', () => {
  const { blocks, blockSizeBytes, files } = rootStatus(1_000_000, 12);
  assert.equal(blocks, Math.ceil(1_000_000 / blockSizeBytes));
  assert.equal(files, 12);
});
