import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type SourceFile, selectFiles } from '../../../src/projection/sources/source-content.ts';

const file = (text: string, more: Partial<SourceFile> = {}): SourceFile => ({ content: Buffer.from(text), ...more });
const AVAILABLE = new Map([
  ['a', file('1', { ownMode: 0o600, uid: 3 })],
  ['sub/b', file('2')],
]);

describe('selectFiles', () => {
  it('takes everything under its own path, below the prefix, with mode and owner of the source', () => {
    assert.deepEqual(selectFiles(AVAILABLE, {}), AVAILABLE);
    assert.deepEqual(
      selectFiles(AVAILABLE, { prefix: 'x/y', mode: 0o400, uid: 1, gid: 2 }),
      new Map([
        ['x/y/a', file('1', { ownMode: 0o600, mode: 0o400, uid: 1, gid: 2 })],
        ['x/y/sub/b', file('2', { mode: 0o400, uid: 1, gid: 2 })],
      ]),
    );
  });

  it('takes only the items, each with its own mode', () => {
    const items = [
      { key: 'sub/b', path: 'p/q', mode: 0o440 },
      { key: 'sub/b', path: 'r' },
    ];
    assert.deepEqual(
      selectFiles(AVAILABLE, { items, mode: 0o400 }),
      new Map([
        ['p/q', file('2', { mode: 0o440 })],
        ['r', file('2', { mode: 0o400 })],
      ]),
    );
  });

  it('refuses an item that is not there, unless the source is optional', () => {
    const items = [
      { key: 'a', path: 'a' },
      { key: 'gone', path: 'g' },
    ];
    assert.throws(() => selectFiles(AVAILABLE, { items }), { code: 'NOT_FOUND', message: 'it has no "gone"' });
    assert.deepEqual([...selectFiles(AVAILABLE, { items, optional: true }).keys()], ['a']);
  });

  it('refuses two items with one path, and reserved names', () => {
    const twice = [
      { key: 'a', path: 'x/y' },
      { key: 'sub/b', path: 'x//y' },
    ];
    assert.throws(() => selectFiles(AVAILABLE, { items: twice }), /conflicting duplicate paths: .*"x\/y"/);
    assert.throws(() => selectFiles(new Map([['..data', file('x')]]), {}), { code: 'INVALID_PATH' });
    assert.deepEqual([...selectFiles(new Map([['..data', file('x')]]), { prefix: 'p' }).keys()], ['p/..data']);
  });
});
