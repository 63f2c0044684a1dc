import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tolerantJson } from '../../../src/projection/live/tolerant-json.ts';

const codec = tolerantJson<number>((value) => typeof value === 'number' && value > 0);

test('tolerantJson gives back what was put', () => {
  assert.equal(codec.decode(codec.encode(7)), 7);
});

test('tolerantJson has no value for what cannot be read or is something else', () => {
  for (const text of ['', '{', 'null', '-1', '"7"', '[7]'])
    assert.equal(codec.decode(Buffer.from(text)), undefined, text);
  assert.equal(codec.decode(Buffer.from([0xff, 0xfe])), undefined);
});
