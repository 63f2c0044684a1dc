import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GenerationId } from '../../src/base/ids.ts';
import type { Content } from '../../src/projection/content-runs.ts';
import { GenerationChain } from '../../src/projection/generation-chain.ts';

const id = (number: number): GenerationId => number as GenerationId;

/** Content of those that are in the store, told apart by identity. */
function chainOf(
  ids: readonly number[],
  stored: readonly number[],
): { chain: GenerationChain; of: Map<number, Content> } {
  const of = new Map<number, Content>(stored.map((number) => [number, []]));
  return { chain: new GenerationChain(ids.map(id), (number) => of.get(number)), of };
}

test('the neighbours of a generation are the nearest that are still there', () => {
  const { chain, of } = chainOf([31, 12, 15, 40], [12, 31, 40]);
  assert.equal(chain.beside(id(31)).before, of.get(12));
  assert.equal(chain.beside(id(31)).after, of.get(40));
  assert.deepEqual(chain.beside(id(12)), { before: undefined, after: of.get(31) });
  chain.remove(id(31));
  assert.equal(chain.beside(id(12)).after, of.get(40));
  assert.equal(chain.has(id(31)), false);
});

test('a chain does not know what is behind the last that is still there', () => {
  const { chain } = chainOf([4, 7, 9], [4, 7]);
  assert.equal(chain.continuesBehind(id(4)), true);
  // 9 was staged and given up: another one may have come since.
  assert.equal(chain.continuesBehind(id(7)), false);
  assert.equal(chain.continuesBehind(id(9)), false);
  assert.equal(chain.continuesBehind(id(11)), false);
});
