import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { editDistance, nearest } from '../../src/cli/nearest.ts';

test('a slip finds its word, something else finds none', () => {
  assert.equal(nearest('stat_dir', ['state_dir', 'runtime_dir']), 'state_dir');
  assert.equal(nearest('mout', ['mount', 'socket']), 'mount');
  assert.equal(nearest('banana', ['mount', 'socket']), undefined);
  assert.equal(nearest('x', []), undefined);
});

test('the distance is a metric', () => {
  const word = fc.string({ maxLength: 8, unit: fc.constantFrom('a', 'b', 'c') });
  fc.assert(
    fc.property(word, word, word, (a, b, c) => {
      assert.equal(editDistance(a, a), 0);
      assert.equal(editDistance(a, b), editDistance(b, a));
      assert.ok(editDistance(a, c) <= editDistance(a, b) + editDistance(b, c));
      assert.ok(editDistance(a, b) >= Math.abs(a.length - b.length));
    }),
  );
  assert.equal(editDistance('kitten', 'sitting'), 3);
});
