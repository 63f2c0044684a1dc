import assert from 'node:assert/strict';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
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

describe('writeThrough', () => {
  it('says that all bytes are on disk without a turn of the event loop', async () => {
    const path = join(folder, 'record');
    const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_DSYNC, 0o600);
    const bytes = Buffer.from('record');
    const done = new Uint8Array(new SharedArrayBuffer(2), 1);
    const written = loadNative().writeThrough(descriptor, bytes, 3, done);
    bytes.fill('x');
    while (Atomics.load(done, 0) === 0);
    assert.equal(readFileSync(path, 'latin1'), '\0\0\0record');
    await written;
    closeSync(descriptor);
  });

  it('leaves the mark alone if the write fails, and needs one', async () => {
    const [one, other] = loadNative().socketPair('stream');
    const done = new Uint8Array(1);
    await assert.rejects(loadNative().writeThrough(one, Buffer.from('record'), 0, done), {
      code: 'ESPIPE',
      syscall: 'pwrite',
    });
    assert.equal(done[0], 0);
    assert.throws(() => loadNative().writeThrough(one, Buffer.from('record'), 0, new Uint8Array(0)), RangeError);
    for (const open of [one, other]) closeSync(open);
  });

  it('keeps the memory of the mark for as long as it writes', async () => {
    const descriptor = openSync(join(folder, 'collected'), 'w');
    const begin = (): Promise<void> =>
      loadNative().writeThrough(descriptor, Buffer.alloc(65_536), 0, new Uint8Array(1));
    await Promise.all(Array.from({ length: 200 }, begin));
    closeSync(descriptor);
  });
});
