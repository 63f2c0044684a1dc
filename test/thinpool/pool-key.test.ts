import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PoolKey, poolKey, rowsOf } from '../../src/thinpool/pool-key.ts';

const compare = (a: PoolKey, b: PoolKey): number => Buffer.compare(poolKey.encode(a), poolKey.encode(b));

test('keys are read back, and sorted by pool, then by text', () => {
  const keys: readonly PoolKey[] = [
    ['a', ''],
    ['a', '1'],
    ['a', '10'],
    ['a', '9'],
    ['a-', ''],
    ['ab', '0'],
    ['b', 'é'],
  ];
  for (const key of keys) assert.deepEqual(poolKey.decode(poolKey.encode(key)), key);
  assert.deepEqual([...keys].reverse().sort(compare), keys);
});

test('the rows of a pool are its own', () => {
  const { start, end } = rowsOf('a');
  const within = (key: PoolKey): boolean => compare(start, key) <= 0 && compare(key, end) < 0;
  for (const text of ['', '0', '~', '\u{10ffff}']) assert.ok(within(['a', text]));
  for (const pool of ['A', 'a-', 'a0', 'aa', 'b']) assert.ok(!within([pool, 'x']));
});

test('what is no key of a pool is refused', () => {
  assert.throws(() => poolKey.decode(Buffer.from('a')), TypeError);
  assert.throws(() => poolKey.decode(Buffer.from('a\0b\0c')), TypeError);
  assert.throws(() => poolKey.encode(['a\0', 'b']), { name: 'AssertionError' });
});
