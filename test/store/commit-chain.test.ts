import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommitChain, newCommitChain } from '../../src/store/commit-chain.ts';
import { EPOCH_BYTES } from '../../src/store/commit-log.ts';

test('a record may follow the durable commit, a recorded one, and expendable ones behind either', () => {
  const chain = new CommitChain(newCommitChain());
  assert.equal(chain.neededUpTo(7n), undefined);
  chain.noteDurable(7n);
  assert.equal(chain.neededUpTo(7n), 7n);
  chain.noteKnown(8n, 7n);
  assert.equal(chain.neededUpTo(8n), 7n);
  chain.noteKnown(9n, 9n);
  assert.equal(chain.neededUpTo(9n), 9n);
  chain.noteKnown(10n, 9n);
  chain.noteKnown(11n, 9n);
  assert.equal(chain.neededUpTo(11n), 9n);
});

test('nothing follows a commit that nobody has told of, until it is durable', () => {
  const chain = new CommitChain(newCommitChain());
  chain.noteDurable(7n);
  chain.noteKnown(8n, 8n);
  assert.equal(chain.neededUpTo(9n), undefined);
  chain.noteDurable(9n);
  assert.equal(chain.neededUpTo(9n), 9n);
  assert.equal(chain.neededUpTo(10n), undefined);
});

test('what a slower thread tells of an older commit lets nothing follow a newer one', () => {
  const words = newCommitChain();
  const [one, other] = [new CommitChain(words), new CommitChain(words)];
  one.noteKnown(9n, 9n);
  other.noteKnown(8n, 5n);
  assert.equal(one.neededUpTo(9n), undefined);
  other.noteDurable(12n);
  one.noteDurable(11n);
  assert.equal(one.durable, 12n);
});

test('more expendable commits than can be counted end the chain', () => {
  const chain = new CommitChain(newCommitChain());
  chain.noteKnown(5n + (1n << 20n), 5n);
  assert.equal(chain.neededUpTo(5n + (1n << 20n)), undefined);
  chain.noteKnown(4n + (1n << 20n), 5n);
  assert.equal(chain.neededUpTo(4n + (1n << 20n)), 5n);
});

test('each process has an epoch of its own, the same for all its threads', () => {
  const words = newCommitChain();
  const { epoch } = new CommitChain(words);
  assert.equal(epoch.length, EPOCH_BYTES);
  assert.deepEqual(new CommitChain(words).epoch, epoch);
  assert.notDeepEqual(new CommitChain(newCommitChain()).epoch, epoch);
});
