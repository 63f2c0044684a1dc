import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { loadNative } from '../../../src/native/load.ts';
import {
  createDeviceMapperPool,
  makePoolFiles,
  metadataSizeBytes,
} from '../../../src/thinpool/device-mapper/create-pool.ts';

const MIB = 1024 * 1024;
const native = loadNative();

function paths(t: TestContext): { readonly dataPath: string; readonly metadataPath: string } {
  const folder = mkdtempSync(join(tmpdir(), 'dunnage-pool-files-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return { dataPath: join(folder, 'below/data'), metadataPath: join(folder, 'below/metadata') };
}

describe('the files of a pool', () => {
  it('have their full size, and the space for it', async (t) => {
    const { dataPath, metadataPath } = paths(t);
    await makePoolFiles(native, { dataPath, metadataPath }, 8 * MIB);
    for (const [path, sizeBytes] of [
      [dataPath, 8 * MIB],
      [metadataPath, 2 * MIB],
    ] as const) {
      const { size, blocks, mode } = statSync(path);
      assert.ok(size === sizeBytes && blocks * 512 >= sizeBytes && (mode & 0o777) === 0o600, path);
    }
  });

  it('are both made or neither', async (t) => {
    const { dataPath, metadataPath } = paths(t);
    await makePoolFiles(native, { dataPath, metadataPath }, MIB);
    rmSync(metadataPath);
    await assert.rejects(makePoolFiles(native, { dataPath, metadataPath }, MIB), { code: 'ALREADY_EXISTS' });
    assert.deepEqual([existsSync(metadataPath), existsSync(dataPath)], [false, true]);
  });

  it('have metadata by the size of the data, within what the kernel can use', () => {
    assert.equal(metadataSizeBytes(1024 ** 3), 2 * MIB);
    assert.equal(metadataSizeBytes(1024 ** 4), 1024 * MIB);
    assert.equal(metadataSizeBytes(1024 ** 5), 16 * 1024 * MIB);
    assert.equal(metadataSizeBytes(1024 ** 4, 1024 ** 2), 64 * MIB);
  });
});

describe('a new pool', { skip: existsSync('/dev/mapper/control') ? 'this kernel has a device-mapper' : false }, () => {
  it('needs a device-mapper, and says so before anything is touched', async (t) => {
    const { dataPath, metadataPath } = paths(t);
    await makePoolFiles(native, { dataPath, metadataPath }, MIB);
    writeFileSync(metadataPath, 'x', { flag: 'r+' });
    const options = { native, pool: 'p', dataPath, metadataPath, isForced: true };
    await assert.rejects(createDeviceMapperPool(options), { code: 'MISSING_DEPENDENCY', remedy: /reflink/ });
    const bad = { ...options, parameters: { blockBytes: 1 } };
    await assert.rejects(createDeviceMapperPool(bad), { code: 'INVALID_ARGUMENT' });
  });
});
