import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommitChain, newCommitChain } from '../../src/store/commit-chain.ts';
import { AHEAD_SLOTS, EPOCH_BYTES, type NeededCommit } from '../../src/store/commit-log.ts';

const needed = (commit: bigint, isAhead = false): NeededCommit => ({ commit, isAhead });

test('a record may follow the durable commit, a recorded one, and expendable ones behind either', () => {
  const chain = new CommitChain(newCommitChain());
  assert.equal(chain.neededUpTo(7n), undefined);
  chain.noteDurable(7n);
  assert.deepEqual(chain.neededUpTo(7n), needed(7n));
  chain.noteKnown(8n, needed(7n));
  assert.deepEqual(chain.neededUpTo(8n), needed(7n));
  chain.noteKnown(9n, needed(9n));
  assert.deepEqual(chain.neededUpTo(9n), needed(9n));
  chain.noteKnown(10n, needed(9n));
  chain.noteKnown(11n, needed(9n));
  assert.deepEqual(chain.neededUpTo(11n), needed(9n));
});

test('nothing follows a commit that nobody has told of, until it is durable', () => {
  const chain = new CommitChain(newCommitChain());
  chain.noteDurable(7n);
  chain.noteKnown(8n, needed(8n));
  assert.equal(chain.neededUpTo(9n), undefined);
  chain.noteDurable(9n);
  assert.deepEqual(chain.neededUpTo(9n), needed(9n));
  assert.equal(chain.neededUpTo(10n), undefined);
});

test('what a slower thread tells of an older commit lets nothing follow a newer one', () => {
  const words = newCommitChain();
  const [one, other] = [new CommitChain(words), new CommitChain(words)];
  one.noteKnown(9n, needed(9n));
  other.noteKnown(8n, needed(5n));
  assert.equal(one.neededUpTo(9n), undefined);
  other.noteDurable(12n);
  one.noteDurable(11n);
  assert.equal(one.durable, 12n);
});

test('more expendable commits than can be counted end the chain', () => {
  const chain = new CommitChain(newCommitChain());
  chain.noteKnown(5n + (1n << 20n), needed(5n));
  assert.equal(chain.neededUpTo(5n + (1n << 20n)), undefined);
  chain.noteKnown(4n + (1n << 20n), needed(5n));
  assert.deepEqual(chain.neededUpTo(4n + (1n << 20n)), needed(5n));
});

test('each process has an epoch of its own, the same for all its threads', () => {
  const words = newCommitChain();
  const { epoch } = new CommitChain(words);
  assert.equal(epoch.length, EPOCH_BYTES);
  assert.deepEqual(new CommitChain(words).epoch, epoch);
  assert.notDeepEqual(new CommitChain(newCommitChain()).epoch, epoch);
});

test('of the last needed commit it is known whether its record was begun ahead', () => {
  const chain = new CommitChain(newCommitChain());
  chain.noteKnown(9n, needed(9n, true));
  assert.deepEqual(chain.neededUpTo(9n), needed(9n, true));
  chain.noteKnown(10n, needed(9n, true));
  assert.deepEqual(chain.neededUpTo(10n), needed(9n, true));
  chain.noteDurable(11n);
  assert.deepEqual(chain.neededUpTo(11n), needed(11n));
});

test('a place for a record that is begun ahead is one thread to write, and all to read', () => {
  const words = newCommitChain();
  const [one, other] = [new CommitChain(words), new CommitChain(words)];
  for (const slot of [0, 7, AHEAD_SLOTS - 1]) {
    one.setAheadBase(slot, undefined);
    assert.equal(other.aheadBase(slot), undefined);
    one.setAheadBase(slot, BigInt(slot));
    assert.equal(other.aheadBase(slot), BigInt(slot));
    Atomics.store(one.aheadDone(slot), 0, 1);
    assert.equal(Atomics.load(other.aheadDone(slot), 0), 1);
  }
  assert.equal(Atomics.load(other.aheadDone(8), 0), 0);
  one.setAheadBase(7, undefined);
  assert.equal(Atomics.load(other.aheadDone(7), 0), 0);
});

test('what was decided is known to every thread, also of the first commit', () => {
  const words = newCommitChain();
  const [one, other] = [new CommitChain(words), new CommitChain(words)];
  assert.equal(other.decided, undefined);
  one.decided = 0n;
  assert.equal(other.decided, 0n);
  one.decided = undefined;
  assert.equal(other.decided, undefined);
});
