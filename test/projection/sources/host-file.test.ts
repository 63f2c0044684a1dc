import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { limits } from '../../../src/base/limits.ts';
import {
  close,
  NAME_ONLY,
  open as openDescriptor,
  ReadBudget,
  type ReadOptions,
  readHostFile,
  Unsettled,
} from '../../../src/projection/sources/host-file.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dunnage-host-file-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const options = (more: Partial<ReadOptions> = {}): ReadOptions => ({
  budget: new ReadBudget(),
  ignoreWriters: false,
  ...more,
});

async function read(path: string, wanted = options()): Promise<string> {
  const named = await openDescriptor(path, NAME_ONLY);
  try {
    const { data, mode } = await readHostFile(named, path, wanted);
    return `${mode.toString(8)} ${Buffer.from(data)}`;
  } finally {
    await close(named);
  }
}

describe('readHostFile', () => {
  it('reads content and permission bits, also of an empty file and of one that has no size', async () => {
    writeFileSync(join(folder, 'f'), 'content', { mode: 0o640 });
    writeFileSync(join(folder, 'empty'), '', { mode: 0o600 });
    assert.equal(await read(join(folder, 'f')), '640 content');
    assert.equal(await read(join(folder, 'empty')), '600 ');
    assert.match(await read('/proc/self/comm'), /^644 .+\n$/);
  });

  it('does not read what somebody has open for writing, unless it is told to', async () => {
    const path = join(folder, 'f');
    writeFileSync(path, 'half', { mode: 0o644 });
    const writer = await open(path, 'a');
    try {
      await assert.rejects(read(path), Unsettled);
      assert.equal(await read(path, options({ ignoreWriters: true })), '644 half');
    } finally {
      await writer.close();
    }
    assert.equal(await read(path), '644 half');
  });

  it('refuses what is too large before it reads, and all that is too much together', async () => {
    const path = join(folder, 'large');
    writeFileSync(path, '');
    truncateSync(path, limits.sourceFileBytesMax + 1);
    await assert.rejects(read(path), { code: 'TOO_LARGE', message: /large has 256.* MiB; .*at most 256 MiB/ });
    const budget = new ReadBudget(10);
    writeFileSync(path, '123456');
    await read(path, options({ budget }));
    await assert.rejects(read(path, options({ budget })), { code: 'TOO_LARGE' });
  });
});
