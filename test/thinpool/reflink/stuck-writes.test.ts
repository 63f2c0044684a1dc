import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import { StuckWrites } from '../../../src/thinpool/reflink/stuck-writes.ts';

describe('writes to devices of a pool whose writers wait', () => {
  let isFrozen: boolean;
  let hasReserve: boolean;
  let opened: number;
  /** How often it is asked until the writes are done. */
  let looksUntilDone: number;
  let writes: StuckWrites;
  let nowMs: number;
  let freeBytes: number;
  let writtenAtEachLook: number;
  beforeEach(() => {
    isFrozen = true;
    hasReserve = true;
    nowMs = 1000;
    opened = 0;
    looksUntilDone = Number.POSITIVE_INFINITY;
    freeBytes = 1000;
    writtenAtEachLook = 1;
    const guard = {
      get isFrozen(): boolean {
        return isFrozen;
      },
      hasReserve: async () => hasReserve,
      momentBytes: 10,
      async freeBytes(): Promise<number> {
        freeBytes -= writtenAtEachLook;
        return freeBytes;
      },
      async whileOpen<T>(change: () => Promise<T>): Promise<T> {
        opened += 1;
        return await change();
      },
    };
    writes = new StuckWrites(
      guard,
      async () => {
        looksUntilDone -= 1;
        return looksUntilDone >= 0;
      },
      { nowMs: () => nowMs, monotonicMs: () => nowMs },
    );
  });

  const touch = (number: number): Promise<string> => writes.whileDone(number, async () => 'touched');

  it('are waited for while the pool is open for a moment, and the device is touched then', async () => {
    looksUntilDone = 5;
    assert.equal(await touch(3), 'touched');
    assert.equal(opened, 1);
  });

  it('that are not done then are left alone, and the pool is not opened for them again at once', async () => {
    await assert.rejects(touch(3), { code: 'BUSY', message: /\/dev\/loop3/ });
    await assert.rejects(touch(3), { code: 'BUSY' });
    assert.equal(opened, 1);
    await assert.rejects(touch(4), { code: 'BUSY' });
    assert.equal(opened, 2);
    writes.forget();
    await assert.rejects(touch(3), { code: 'BUSY' });
    assert.equal(opened, 3);
    nowMs += 3000;
    looksUntilDone = 0;
    assert.equal(await touch(3), 'touched');
    assert.equal(opened, 4);
  });

  it('have a moment until others have written their part of what is kept free', async () => {
    await assert.rejects(touch(3), { code: 'BUSY' });
    assert.ok(freeBytes >= 1000 - 13, `${freeBytes} of 1000 are left`);
    writtenAtEachLook = 0;
    looksUntilDone = 100;
    assert.equal(await touch(4), 'touched');
  });

  it('leave a moment to whoever has the device open when they are done', async () => {
    looksUntilDone = 2;
    let tries = 0;
    const detach = async (): Promise<string> => {
      tries += 1;
      if (tries < 3) throw new DunnageError('BUSY', 'somebody has it open');
      return 'detached';
    };
    assert.equal(await writes.whileDone(3, detach), 'detached');
    assert.equal(opened, 1);
    await assert.rejects(
      writes.whileDone(4, () => Promise.reject(new DunnageError('IO', 'broken'))),
      { code: 'IO' },
    );
  });

  it('get no moment when half of what is kept free is used', async () => {
    looksUntilDone = 0;
    hasReserve = false;
    await assert.rejects(touch(3), { code: 'BUSY' });
    assert.equal(opened, 0);
    hasReserve = true;
    assert.equal(await touch(3), 'touched');
  });

  it('need no care where nobody waits', async () => {
    isFrozen = false;
    assert.equal(await touch(3), 'touched');
    assert.equal(await new StuckWrites(undefined, async () => true).whileDone(3, async () => 'free'), 'free');
  });
});
