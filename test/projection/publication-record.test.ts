import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GenerationId, NodeId, ProjectionId } from '../../src/base/ids.ts';
import { decodePublication, encodePublication } from '../../src/projection/publication-record.ts';
import type { StagedGeneration } from '../../src/projection/staged-generation.ts';
import { plainDigest } from '../../src/store/digest.ts';

const staged: StagedGeneration = {
  id: 70 as GenerationId,
  projection: 3 as ProjectionId,
  audited: true,
  directory: '..2026_11_18_00_00_00.1',
  nodes: 5,
  content: Buffer.from('content list'),
  directories: 0,
  files: 3,
  sizeBytes: 11,
  createdAtMs: 1_795_000_000_000,
  rollbackOf: 7,
  changesNames: true,
  links: [{ name: 'ä', node: 75 as NodeId }],
  isStored: false,
  blobs: [
    { digest: plainDigest(Buffer.from('a')), sizeBytes: 1, protection: 'plain', inline: Buffer.from('a') },
    { digest: plainDigest(Buffer.from('b')), sizeBytes: 10, protection: 'secret', inline: Buffer.from('sealed') },
    { digest: plainDigest(Buffer.from('c')), sizeBytes: 0, protection: 'plain', inline: Buffer.alloc(0) },
    { digest: plainDigest(Buffer.from('d')), sizeBytes: 2 ** 40, protection: 'secret', inline: undefined },
  ],
};

test('a publication is read as it was recorded, and says which key sealed its secrets', () => {
  const record = encodePublication({ staged, publishedAtMs: 5 }, 'key-1');
  const read = decodePublication(new Uint8Array(record));
  assert.equal(read.publishedAtMs, 5);
  const blobs = staged.blobs.map((blob) => (blob.protection === 'secret' ? { ...blob, keyId: 'key-1' } : blob));
  assert.deepEqual(read.staged, { ...staged, blobs });
});

test('a record that is cut off is CORRUPT at every length', () => {
  const record = encodePublication({ staged, publishedAtMs: 5 }, 'key-1');
  for (let length = 0; length < record.length; length += 1) {
    assert.throws(() => decodePublication(record.subarray(0, length)), { code: 'CORRUPT' }, `${length} bytes`);
  }
});
