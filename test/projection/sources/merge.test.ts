import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parentDirectories } from '../../../src/projection/path-rules.ts';
import { type MergePart, mergeSources } from '../../../src/projection/sources/merge.ts';
import type { SourcedSpec } from '../../../src/projection/sources/source-spec.ts';

const spec = (onCollision: SourcedSpec['onCollision']): SourcedSpec => ({ onCollision, sources: [], files: [] });
const part = (title: string, ...paths: string[]): MergePart => ({
  title,
  files: new Map(paths.map((path) => [path, { content: Buffer.from(`${title}:${path}`) }])),
});
const contents = (payload: ReturnType<typeof mergeSources>['payload']): Record<string, string> =>
  Object.fromEntries([...payload].map(([path, file]) => [path, 'data' in file ? String(file.data) : '']));

describe('mergeSources', () => {
  it('puts together what does not collide, with the defaults of the spec', () => {
    const { payload, warnings } = mergeSources({ ...spec('Error'), defaultMode: 0o400, uid: 9 }, [
      part('one', 'a', 'd/x'),
      part('two', 'b', 'd/y'),
    ]);
    assert.deepEqual(contents(payload), { a: 'one:a', 'd/x': 'one:d/x', b: 'two:b', 'd/y': 'two:d/y' });
    assert.deepEqual(warnings, []);
    const { mode, uid } = payload.get('a') ?? {};
    assert.deepEqual([mode, uid], [0o400, 9]);
  });

  const collisions: readonly (readonly [string, string, string, string])[] = [
    ['the same path', 'd/a', 'd/a', 'one and two both give "d/a"'],
    ['a directory where a file is', 'a', 'a/b/c', '"a" of one and "a/b/c" of two: "a" would be a file and a directory'],
    [
      'a file where a directory is',
      'a/b/c',
      'a/b',
      '"a/b/c" of one and "a/b" of two: "a/b" would be a file and a directory',
    ],
  ];
  for (const [what, first, second, message] of collisions) {
    it(`names both sources if the second has ${what}`, () => {
      assert.throws(() => mergeSources(spec('Error'), [part('one', first), part('two', second)]), {
        code: 'ALREADY_EXISTS',
        message,
      });
    });

    it(`lets the second win with a warning if it has ${what} and the manifest allows it`, () => {
      const { payload, warnings } = mergeSources(spec('Warn'), [part('one', first, 'other'), part('two', second)]);
      assert.deepEqual(contents(payload), { other: 'one:other', [second]: `two:${second}` });
      assert.deepEqual(warnings, [`${message}; two wins`]);
    });
  }

  it('always gives a payload in which no file is a directory, and the last word to the last source', () => {
    const path = fc.array(fc.constantFrom('a', 'b'), { minLength: 1, maxLength: 3 }).map((names) => names.join('/'));
    const parts = fc.array(fc.uniqueArray(path, { maxLength: 3 }), { maxLength: 5 }).map((lists) =>
      lists.map((paths, index) => {
        const all = new Set(paths);
        const fitting = paths.filter((one) => ![...parentDirectories([one])].some((directory) => all.has(directory)));
        return part(`s${index}`, ...fitting);
      }),
    );
    fc.assert(
      fc.property(parts, (given) => {
        const { payload, warnings } = mergeSources(spec('Warn'), given);
        const directories = parentDirectories(payload.keys());
        for (const one of payload.keys()) assert.ok(!directories.has(one));
        for (const one of given.at(-1)?.files.keys() ?? []) {
          assert.equal(contents(payload)[one], `s${given.length - 1}:${one}`);
        }
        const offered = given.reduce((sum, { files }) => sum + files.size, 0);
        assert.equal(warnings.length, offered - payload.size);
      }),
    );
  });
});
