import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BackingDirectory } from '../../../src/alloc/backing-directory.ts';
import { AllocTransfers } from '../../../src/alloc/service/alloc-transfers.ts';

/** None of these tests copies anything. */
const make = (): AllocTransfers => new AllocTransfers({} as BackingDirectory);

describe('transfers of an alloc that is deleted', () => {
  it('are broken off, and those of others are not', () => {
    const transfers = make();
    const [one, other] = [transfers.begin('a'), transfers.begin('b')];
    transfers.breakOff('a');
    assert.deepEqual([one.signal.aborted, other.signal.aborted], [true, false]);
    assert.match(String(one.signal.reason), /the alloc a is being deleted/);
  });

  it('are broken off at once if they begin while a deletion waits for its turn', () => {
    const transfers = make();
    const [first, second] = [transfers.breakOff('a'), transfers.breakOff('a')];
    assert.equal(transfers.begin('a', new AbortController().signal).signal.aborted, true);
    first();
    assert.equal(transfers.begin('a').signal.aborted, true);
    second();
    assert.equal(transfers.begin('a').signal.aborted, false);
  });

  it('keep it busy until they end', () => {
    const transfers = make();
    const [one, other] = [transfers.begin('a'), transfers.begin('a')];
    one.end();
    assert.equal(transfers.isBusy('a'), true);
    other.end();
    assert.equal(transfers.isBusy('a'), false);
  });
});
