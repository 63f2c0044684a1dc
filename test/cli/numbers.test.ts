import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidArgumentError } from 'commander';
import { countUpTo } from '../../src/cli/numbers.ts';

test('a count is a whole number from 1 to its bound', () => {
  const parse = countUpTo(100);
  assert.deepEqual(['1', '007', '100'].map(parse), [1, 7, 100]);
  for (const word of ['0', '101', '-1', '1.0', '1e1', '0x1', ' 1', '', 'one']) {
    assert.throws(() => parse(word), InvalidArgumentError, word);
  }
});
