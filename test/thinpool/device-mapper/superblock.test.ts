import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertUnused, readMetadataContent, zeroMetadata } from '../../../src/thinpool/device-mapper/superblock.ts';

function superblock(): Buffer {
  const bytes = Buffer.alloc(8192, 1);
  bytes.writeBigUInt64LE(27_022_010n, 32);
  bytes.writeUInt32LE(2, 40);
  bytes.writeUInt32LE(128, 336);
  return bytes;
}

test('a pool is told from nothing and from anything else, and made nothing by zeros', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'dunnage-superblock-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'metadata');
  writeFileSync(path, superblock());
  assert.deepEqual(readMetadataContent(path), { kind: 'pool', version: 2, blockBytes: 65_536 });
  assertUnused(path);
  zeroMetadata(path);
  assert.deepEqual(readMetadataContent(path), { kind: 'empty' });
  assert.deepEqual(readFileSync(path), Buffer.concat([Buffer.alloc(4096), superblock().subarray(4096)]));
  writeFileSync(path, Buffer.alloc(4096, 'x'));
  assert.deepEqual(readMetadataContent(path), { kind: 'other' });
  writeFileSync(path, 'short');
  assert.throws(() => readMetadataContent(path), { code: 'INVALID_ARGUMENT' });
  assert.throws(() => readMetadataContent(join(folder, 'none')), { code: 'NOT_FOUND' });
});
