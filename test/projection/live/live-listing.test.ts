import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inListingOrder, positionOf } from '../../../src/projection/live/live-listing.ts';
import type { LiveKind } from '../../../src/projection/live/live-nodes.ts';

const names = (count: number): Map<string, LiveKind> =>
  new Map(Array.from({ length: count }, (_, index) => [`file-${index}`, index % 2 === 0 ? 'file' : 'directory']));

describe('inListingOrder', () => {
  it('gives every name a position of its own, above 0 and as exact as an offset can be', () => {
    const list = inListingOrder(names(100_000));
    assert.equal(new Set(list.map(({ position }) => position)).size, 100_000);
    for (const { position } of list)
      assert.ok(Number.isSafeInteger(position) && position > 0 && position < 2 ** 53 - 2);
  });

  it('keeps the position of a name, whatever else there is', () => {
    const few = inListingOrder(names(10));
    const many = new Map(inListingOrder(names(1000)).map(({ name, position }) => [name, position]));
    for (const { name, position } of few) assert.equal(many.get(name), position);
    assert.deepEqual(
      [...few].sort((a, b) => a.position - b.position),
      few,
    );
  });

  it('spreads the names of the alphabet and of many scripts', () => {
    const all = ['', 'a', 'b', 'ab', 'ba', 'ä', '\u{1f600}', '\u{1f601}', 'a'.repeat(255), 'a'.repeat(254)];
    assert.equal(new Set(all.map(positionOf)).size, all.length);
  });
});
