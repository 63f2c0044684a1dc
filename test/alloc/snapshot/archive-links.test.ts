import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArchiveLinks } from '../../../src/alloc/snapshot/archive-links.ts';
import { byteText } from '../../../src/base/byte-text.ts';

function links(...given: readonly (readonly [string, string])[]): ArchiveLinks {
  const all = new ArchiveLinks();
  for (const [place, text] of given) all.set(byteText(place), byteText(text));
  return all;
}

test('links that stay inside, dangle or go round are none that escape', () => {
  assert.equal(
    links(['a', 'b'], ['b', 'a'], ['c', '.'], ['d/e', '..'], ['d/f', '../none/./x']).firstEscaping(),
    undefined,
  );
  assert.equal(links(['a', 'a/../../../x']).firstEscaping(), undefined, 'it goes round before it leads anywhere');
});

test('links that lead outside through others are found', () => {
  assert.equal(links(['a/b/c/l', '../../..'], ['a/b/c/m', 'l/..']).firstEscaping(), 'a/b/c/m');
  assert.equal(links(['x', 'y/..'], ['y', 'z'], ['z', '..']).firstEscaping(), 'x');
  assert.equal(links(['l', '/etc']).firstEscaping(), 'l');
});

test('a link that was replaced counts no more', () => {
  const all = links(['l', '..']);
  all.delete(byteText('l'));
  assert.equal(all.get(byteText('l')), undefined);
  assert.equal(all.firstEscaping(), undefined);
});
