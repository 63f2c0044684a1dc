import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inOrderOfUse } from '../../../src/projection/sources/dependency-graph.ts';

const graph =
  (edges: Readonly<Record<string, readonly string[]>>) =>
  (directory: string): readonly string[] =>
    edges[directory] ?? [];

describe('inOrderOfUse', () => {
  it('puts each after what it uses, and keeps the order otherwise', () => {
    const uses = graph({ a: ['b', 'elsewhere'], b: ['c'], elsewhere: ['d'] });
    assert.deepEqual(inOrderOfUse(['x', 'a', 'b', 'c', 'd'], uses), ['x', 'c', 'b', 'd', 'a']);
    assert.deepEqual(inOrderOfUse([], uses), []);
  });

  it('takes two ways to the same object for no circle', () => {
    assert.deepEqual(inOrderOfUse(['a'], graph({ a: ['b', 'c'], b: ['d'], c: ['d'] })), ['a']);
  });

  it('names the chain of a circle, also of one it only leads to', () => {
    assert.throws(() => inOrderOfUse(['a'], graph({ a: ['a'] })), /each other: a -> a$/);
    assert.throws(() => inOrderOfUse(['x'], graph({ x: ['a'], a: ['b'], b: ['c'], c: ['a'] })), {
      code: 'INVALID_MANIFEST',
      message: 'projections take their content from each other: a -> b -> c -> a',
    });
  });
});
