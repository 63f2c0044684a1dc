import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePoolSize } from '../../src/thinpool/size.ts';

test('sizes are read as docker reads them', () => {
  const sizes: Readonly<Record<string, number | undefined>> = {
    '32KIB': 32 * 1024,
    '32GB': 32 * 1024 ** 3,
    '32Tb': 32 * 1024 ** 4,
    '128Mb': 134_217_728,
    '10mb': 10 * 1024 ** 2,
    '10m': 10 * 1024 ** 2,
    '1.5k': 1536,
    '1.0001k': 1024,
    '1024': 1024,
    '7b': 7,
    '2 GiB': 2 * 1024 ** 3,
    '': undefined,
    y: undefined,
    '-1': undefined,
    '1e3': undefined,
    '1 x': undefined,
    '1kk': undefined,
    '9999999p': undefined,
  };
  for (const [text, expected] of Object.entries(sizes)) assert.equal(parsePoolSize(text), expected, text);
});
