import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytesValue, jsonValue, numberKey, stringKey } from '../../src/store/codecs.ts';
import { makeStateDirectory, openStore } from './state-directory.ts';

test('range yields what a sorted array would, in both directions, with bounds and a limit', async (t) => {
  const store = openStore(t, makeStateDirectory(t));
  const table = store.table('numbers', numberKey, jsonValue<number>());
  const keys = [0, 1, 2, 255, 256, 70_000, 2 ** 40, 2 ** 53 - 1];
  store.transactBuffered(() => {
    for (const key of keys) table.put(key, key);
  });
  const bound = fc.option(fc.oneof(fc.constantFrom(...keys), fc.nat(300)), { nil: undefined });
  const options = fc.record({
    start: bound,
    end: bound,
    reverse: fc.boolean(),
    limit: fc.option(fc.nat(9), { nil: undefined }),
  });
  fc.assert(
    fc.property(options, ({ start, end, reverse, limit }) => {
      const ordered = reverse ? keys.toReversed() : keys;
      const expected = ordered
        .filter((key) => start === undefined || (reverse ? key <= start : key >= start))
        .filter((key) => end === undefined || (reverse ? key > end : key < end))
        .slice(0, limit);
      const given = {
        ...(start === undefined ? {} : { start }),
        ...(end === undefined ? {} : { end }),
        ...(limit === undefined ? {} : { limit }),
      };
      const entries = [...table.range({ ...given, reverse })];
      assert.deepEqual(
        entries,
        expected.map((key) => ({ key, value: key })),
      );
    }),
  );
});

test('get, put, remove and count see each other inside the transaction', (t) => {
  const store = openStore(t, makeStateDirectory(t));
  const table = store.table('words', stringKey, jsonValue<string>());
  store.transactBuffered(() => {
    table.put('a', '1');
    table.put('b', '2');
    table.put('a', '3');
    assert.equal(table.count(), 2);
    assert.equal(table.get('a'), '3');
    assert.equal(table.remove('b'), true);
    assert.equal(table.remove('b'), false);
    assert.deepEqual([...table.range({})], [{ key: 'a', value: '3' }]);
  });
  assert.equal(table.count(), 1);
  assert.equal(table.get('b'), undefined);
});

test('put and remove outside of a transaction are programming errors', (t) => {
  const store = openStore(t, makeStateDirectory(t));
  const table = store.table('words', stringKey, jsonValue<string>());
  assert.throws(() => table.put('a', '1'), /needs a transaction/);
  assert.throws(() => table.remove('a'), /needs a transaction/);
});

test('values read are copies: later writes do not change them', (t) => {
  const store = openStore(t, makeStateDirectory(t));
  const table = store.table('bytes', stringKey, bytesValue);
  store.transactBuffered(() => table.put('a', Buffer.alloc(100, 'x')));
  const before = table.get('a');
  const [inRange] = [...table.range({})];
  for (let round = 0; round < 20; round += 1) store.transactBuffered(() => table.put('a', Buffer.alloc(100, 'y')));
  table.get('a');
  assert.deepEqual(before, Buffer.alloc(100, 'x'));
  assert.deepEqual(inRange?.value, Buffer.alloc(100, 'x'));
});

test('empty and large values are kept; an empty key is refused, a long one has an error of its own', (t) => {
  const store = openStore(t, makeStateDirectory(t));
  const table = store.table('bytes', stringKey, bytesValue);
  const large = Buffer.alloc(300_000, 7);
  store.transactBuffered(() => {
    table.put('empty', new Uint8Array());
    table.put('large', large);
  });
  assert.equal(table.get('empty')?.length, 0);
  assert.deepEqual(table.get('large'), large);
  assert.throws(() => store.transactBuffered(() => table.put('', large)), /must not be empty/);
  assert.throws(() => table.get('x'.repeat(1979)), { code: 'NAME_TOO_LONG' });
});

test('leaving a range early leaves nothing behind that stops writing', (t) => {
  const store = openStore(t, makeStateDirectory(t));
  const table = store.table('numbers', numberKey, jsonValue<number>());
  store.transactBuffered(() => {
    for (let key = 0; key < 100; key += 1) table.put(key, key);
  });
  for (let round = 0; round < 1000; round += 1) {
    for (const { key } of table.range({})) {
      if (key === 3) break;
    }
  }
  store.transactBuffered(() => table.put(1, 5));
  assert.equal(table.get(1), 5);
});
