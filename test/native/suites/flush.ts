import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { loadNative } from '../../../src/native/load.ts';

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'dunnage-flush-'));
});
after(() => rmSync(folder, { recursive: true }));

describe('flushThenWrite', () => {
  it('writes all bytes where they belong, from a copy made at the call', async () => {
    const path = join(folder, 'whole');
    const descriptor = openSync(path, 'w+');
    const bytes = Buffer.from('root');
    const done = loadNative().flushThenWrite(descriptor, descriptor, bytes, 3);
    bytes.fill('x');
    await done;
    closeSync(descriptor);
    assert.equal(readFileSync(path, 'latin1'), '\0\0\0root');
  });

  it('writes nothing if the flush fails, and says which call did', async () => {
    const path = join(folder, 'untouched');
    const descriptor = openSync(path, 'w+');
    // A pipe or socket cannot be flushed.
    const [one, other] = loadNative().socketPair('stream');
    await assert.rejects(loadNative().flushThenWrite(one, descriptor, Buffer.from('root'), 0), {
      code: 'EINVAL',
      syscall: 'fdatasync',
    });
    for (const open of [one, other, descriptor]) closeSync(open);
    assert.equal(readFileSync(path).length, 0);
  });

  it('rejects with the error of a write that fails', async () => {
    const path = join(folder, 'read-only');
    closeSync(openSync(path, 'w'));
    const descriptor = openSync(path, 'r');
    await assert.rejects(loadNative().flushThenWrite(descriptor, descriptor, Buffer.from('root'), 0), {
      code: 'EBADF',
      syscall: 'pwrite',
    });
    closeSync(descriptor);
  });
});
