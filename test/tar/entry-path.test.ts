import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byteText } from '../../src/base/byte-text.ts';
import { entryPath, leadsOutside, pathText } from '../../src/tar/entry-path.ts';

test('names are taken apart, whatever dots and slashes they are written with', () => {
  assert.deepEqual(entryPath(byteText('./a//b/./c/')), { parents: ['a', 'b'], name: 'c' });
  assert.deepEqual(entryPath(byteText('.')), { parents: [], name: '' });
  assert.equal(pathText({ parents: ['a', 'b'], name: 'c' }), 'a/b/c');
});

test('names that may lead outside are none', () => {
  for (const name of ['/etc/passwd', '/', '..', 'a/..', 'a/../b', '../x', './../x', 'a/b/../../../c'])
    assert.equal(entryPath(byteText(name)), undefined, name);
  for (const name of ['..a', 'a..', '...', 'a/.../b']) assert.ok(entryPath(byteText(name)), name);
});

test('links are followed by their text', () => {
  const outside = (name: string, text: string): boolean => {
    const path = entryPath(byteText(name));
    assert.ok(path);
    return leadsOutside(path, byteText(text));
  };
  for (const [name, text] of [
    ['l', '/tmp'],
    ['l', '../escape_attempt'],
    ['a/l', '../..'],
    ['a/b/l', 'x/../../../../y'],
    ['a/l', '../b/../../a'],
  ] as const)
    assert.equal(outside(name, text), true, `${name} -> ${text}`);
  for (const [name, text] of [
    ['l', 'bar'],
    ['l', '.'],
    ['a/l', '..'],
    ['a/l', '../b/c'],
    ['a/b/l', '../../c/./d'],
    ['l', '..x'],
  ] as const)
    assert.equal(outside(name, text), false, `${name} -> ${text}`);
});
