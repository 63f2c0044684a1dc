import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { intervalWord, type PoolWords, percentWord, sizeWord, toPoolSpec } from '../../src/cli/pool-words.ts';

const spec = (words: Partial<PoolWords>): Record<string, unknown> => toPoolSpec({ discardPassdown: true, ...words });

test('each place is said in its own field, with an absolute path', () => {
  assert.deepEqual(spec({ directory: 'pool' }), { directory: join(process.cwd(), 'pool') });
  assert.deepEqual(spec({ device: '/dev/sdb1', format: true }), { device: '/dev/sdb1', format: true });
  assert.deepEqual(spec({ size: '20GiB' }), { file: { size: '20GiB' } });
  assert.deepEqual(spec({ file: '/x.img', size: '20g' }), { file: { path: '/x.img', size: '20g' } });
  assert.deepEqual(spec({ dataDevice: '/dev/a', metadataDevice: '/dev/b' }), {
    dataDevice: '/dev/a',
    metadataDevice: '/dev/b',
  });
  assert.deepEqual(spec({ driver: 'devicemapper', size: '1g' }), {
    driver: 'devicemapper',
    dataFile: { size: '1g' },
    metadataFile: {},
  });
  assert.deepEqual(spec({ dataFile: '/d', metadataFile: '/m', size: '1g' }), {
    dataFile: { path: '/d', size: '1g' },
    metadataFile: { path: '/m' },
  });
});

test('everything else goes as it was typed', () => {
  const words = { directory: '/p', deviceSize: '5GiB', blockSize: '128k', lowWaterMark: '1g', trim: 'off' };
  assert.deepEqual(spec({ ...words, whenFull: 'error', discardPassdown: false, overcommit: true, highWaterMark: 85 }), {
    directory: '/p',
    deviceSize: '5GiB',
    blockSize: '128k',
    lowWaterMark: '1g',
    whenFull: 'error',
    discardPassdown: false,
    overcommit: { allowed: true, highWaterMark: '85%' },
    trim: { interval: 'off' },
  });
  assert.deepEqual(spec({ config: 'pool_name = "a"' }), { config: 'pool_name = "a"' });
});

const refused: readonly (readonly [words: Partial<PoolWords>, said: RegExp])[] = [
  [{}, /where the pool lies is missing/],
  [{ directory: '/p', device: '/dev/sdb' }, /lies in one place/],
  [{ directory: '/p', dataDevice: '/dev/a', metadataDevice: '/dev/b' }, /lies in one place/],
  [{ dataDevice: '/dev/a' }, /two devices/],
  [{ directory: '/p', size: '1g' }, /--size is for files/],
  [{ file: '/x.img' }, /needs its size/],
  [{ dataFile: '/d', metadataFile: '/m' }, /needs its size/],
  [{ directory: '/p', highWaterMark: 80 }, /--high-water-mark/],
];

for (const [words, said] of refused) {
  test(`${JSON.stringify(words)} is refused, and the remedy says what to give`, () => {
    assert.throws(() => spec(words), { code: 'INVALID_ARGUMENT', message: said, remedy: /./ });
  });
}

test('sizes, percentages and intervals are judged while the command line is read', () => {
  for (const word of ['20GiB', '10g', '512MB', '4096', '1.5 TiB']) assert.equal(sizeWord(word), word);
  for (const word of ['', '0', '-1', '20 apples', 'GiB']) assert.throws(() => sizeWord(word), /size/, word);
  assert.deepEqual([percentWord('90%'), percentWord('1')], [90, 1]);
  for (const word of ['0', '100%', '9.5', 'x', '']) assert.throws(() => percentWord(word), /percentage/, word);
  for (const word of ['24h', '1d12h', 'off']) assert.equal(intervalWord(word), word);
  for (const word of ['0s', 'never', '']) assert.throws(() => intervalWord(word), /duration/, word);
});
