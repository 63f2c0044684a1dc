import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAtOrBeneath } from '../../src/base/paths.ts';

test('a path is beneath another one by whole components, and everything is beneath the root', () => {
  for (const [path, parent] of [
    ['/a/b', '/a/b'],
    ['/a/b/c', '/a/b'],
    ['/a', '/'],
    ['/', '/'],
    ['a/b', 'a'],
  ] as const) {
    assert.ok(isAtOrBeneath(path, parent), `${path} ${parent}`);
  }
  for (const [path, parent] of [
    ['/a/bc', '/a/b'],
    ['/a', '/a/b'],
    ['/b', '/a'],
  ] as const) {
    assert.ok(!isAtOrBeneath(path, parent), `${path} ${parent}`);
  }
});
