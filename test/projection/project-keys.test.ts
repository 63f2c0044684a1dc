import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type KeyProjection, makePayload } from '../../src/projection/project-keys.ts';

const DATA = new Map([
  ['foo.txt', Buffer.from('foo')],
  ['bar.txt', Buffer.from('bar')],
]);

function made(projection: Partial<KeyProjection>): Record<string, [string, number]> {
  const payload = makePayload({ kind: 'ConfigMap', data: DATA, defaultMode: 0o644, ...projection });
  return Object.fromEntries([...payload].map(([path, { data, mode }]) => [path, [Buffer.from(data).toString(), mode]]));
}

describe('makePayload', () => {
  it('makes every key a file if no items are listed', () => {
    const everything = { 'foo.txt': ['foo', 0o644], 'bar.txt': ['bar', 0o644] };
    assert.deepEqual(made({}), everything);
    assert.deepEqual(made({ items: [] }), everything);
  });

  it('makes only the listed keys files, at their paths', () => {
    assert.deepEqual(made({ items: [{ key: 'foo.txt', path: 'path/to/foo.txt' }] }), {
      'path/to/foo.txt': ['foo', 0o644],
    });
    assert.deepEqual(made({ items: [{ key: 'foo.txt', path: 'path/to/1/2/3/foo.txt' }] }), {
      'path/to/1/2/3/foo.txt': ['foo', 0o644],
    });
    const both = [
      { key: 'foo.txt', path: 'a/foo' },
      { key: 'bar.txt', path: 'b/bar' },
    ];
    assert.deepEqual(made({ items: both }), { 'a/foo': ['foo', 0o644], 'b/bar': ['bar', 0o644] });
  });

  it('takes the mode of the item, else the default', () => {
    const items = [
      { key: 'foo.txt', path: 'foo', mode: 0o400 },
      { key: 'bar.txt', path: 'bar' },
    ];
    assert.deepEqual(made({ items, defaultMode: 0o640 }), { foo: ['foo', 0o400], bar: ['bar', 0o640] });
  });

  it('fails without a default mode', () => {
    assert.throws(() => made({ defaultMode: undefined }), {
      message: 'No defaultMode used, not even the default value for it',
    });
  });

  it('fails for a listed key that is absent, unless optional', () => {
    const items = [
      { key: 'gone', path: 'gone' },
      { key: 'foo.txt', path: 'foo' },
    ];
    assert.throws(() => made({ items }), { code: 'NOT_FOUND', message: 'references non-existent config key: gone' });
    assert.throws(() => made({ items, kind: 'Secret' }), { message: 'references non-existent secret key: gone' });
    assert.deepEqual(made({ items, optional: true }), { foo: ['foo', 0o644] });
  });

  it('fails for an object that is absent, unless optional', () => {
    assert.throws(() => made({ data: undefined }), { code: 'NOT_FOUND' });
    assert.deepEqual(made({ data: undefined, optional: true }), {});
  });

  it('refuses two items for one path and paths that are not allowed', () => {
    const items = [
      { key: 'foo.txt', path: 'a/b' },
      { key: 'bar.txt', path: 'a//b' },
    ];
    assert.throws(() => made({ items }), { message: /conflicting duplicate paths: keys "foo.txt" and "bar.txt"/ });
    assert.throws(() => made({ items: [{ key: 'foo.txt', path: '../x' }] }), { code: 'INVALID_PATH' });
    assert.throws(() => made({ items: [{ key: 'foo.txt', path: 'x', mode: 0o1777 }] }), { code: 'INVALID_ARGUMENT' });
  });
});
