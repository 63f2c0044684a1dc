import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  escapes,
  escapesByText,
  isBelowIgnoringCase,
  namesOf,
  requestedNames,
} from '../../../src/alloc/files/escapes.ts';

describe('whether a path leads out by its text alone', () => {
  const rows: readonly (readonly [prefix: string, path: string, escapes: boolean])[] = [
    ['', '', false],
    ['', '/foo', false],
    ['', './', false],
    ['', '../', true],
    ['foo', '', false],
    ['foo', '/foo', false],
    ['foo', '../', false],
    ['foo', '../../', true],
    ['foo/bar', '', false],
    ['foo/bar', '/foo', false],
    ['foo/bar', '../', false],
    ['foo/bar', '../../', false],
    ['foo/bar', '../../../', true],
    ['/', '/', false],
    ['/', '/no-exist', false],
    ['/', '../../foo', true],
    ['/foo/bar', '../../../foo', true],
    ['', 'a/../../a1/b', true],
  ];
  for (const [prefix, path, expected] of rows) {
    test(`"${path}" seen from "${prefix}": ${expected}`, () => assert.equal(escapesByText(prefix, path), expected));
  }
});

test('a request is relative to the root, with or without a slash, and takes `..` by its text', () => {
  assert.deepEqual(requestedNames('/'), []);
  assert.deepEqual(requestedNames('//web/./local//x/'), ['web', 'local', 'x']);
  assert.deepEqual(requestedNames('web/link/../local'), ['web', 'local']);
  for (const path of ['..', '../foo', '/..', 'web/../../x']) {
    assert.throws(() => requestedNames(path), { code: 'INVALID_PATH', message: 'Path escapes the alloc directory' });
  }
  assert.throws(() => requestedNames('a\0b'), { code: 'INVALID_PATH' });
});

test('a path is below a directory whatever the case, and only by whole components', () => {
  assert.equal(isBelowIgnoringCase('/foo/BAR', '/foo/bar'), true);
  assert.equal(isBelowIgnoringCase('/FOO/bar/x', '/foo/bar'), true);
  assert.equal(isBelowIgnoringCase('/a/foobar', '/a/foo'), false);
  assert.equal(isBelowIgnoringCase('/a', '/a/foo'), false);
});

test('empty components and dots do not count', () => {
  assert.deepEqual(namesOf('/a//./b/'), ['a', 'b']);
  assert.match(escapes().remedy ?? '', /relative/);
});
