import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { StuckWrites } from '../../../src/thinpool/reflink/stuck-writes.ts';

describe('writes to devices of a pool whose writers wait', () => {
  let isFrozen: boolean;
  let opened: number;
  /** How often it is asked until the writes are done. */
  let looksUntilDone: number;
  let writes: StuckWrites;
  beforeEach(() => {
    isFrozen = true;
    opened = 0;
    looksUntilDone = Number.POSITIVE_INFINITY;
    const guard = {
      get isFrozen(): boolean {
        return isFrozen;
      },
      async whileOpen<T>(change: () => Promise<T>): Promise<T> {
        opened += 1;
        return await change();
      },
    };
    writes = new StuckWrites(guard, async () => {
      looksUntilDone -= 1;
      return looksUntilDone >= 0;
    });
  });

  it('are waited for while the pool is open for a moment', async () => {
    looksUntilDone = 5;
    await writes.end(3);
    assert.equal(opened, 1);
  });

  it('that are not done then are left alone, and the pool is not opened for them again', async () => {
    await assert.rejects(writes.end(3), { code: 'BUSY', message: /\/dev\/loop3/ });
    await assert.rejects(writes.end(3), { code: 'BUSY' });
    assert.equal(opened, 1);
    await assert.rejects(writes.end(4), { code: 'BUSY' });
    assert.equal(opened, 2);
    writes.forget();
    await assert.rejects(writes.end(3), { code: 'BUSY' });
    assert.equal(opened, 3);
  });

  it('need no care where nobody waits', async () => {
    isFrozen = false;
    await writes.end(3);
    isFrozen = true;
    looksUntilDone = 0;
    await writes.end(3);
    await new StuckWrites(undefined, async () => true).end(3);
    assert.equal(opened, 0);
  });
});
