import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '../../../src/base/limits.ts';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import { readYamlDocuments } from '../../../src/projection/manifests/yaml-documents.ts';

const values = (text: string): unknown[] => readYamlDocuments(text).map(({ value }) => value);

describe('readYamlDocuments', () => {
  it('reads several documents, leaves empty ones out, and counts them all', () => {
    const documents = readYamlDocuments('# nothing\n---\na: 1\n---\n---\nb: 2\n...\n');
    assert.deepEqual(
      documents.map(({ value }) => value),
      [{ a: 1 }, { b: 2 }],
    );
    assert.deepEqual(
      documents.map(({ index }) => index),
      [1, 3],
    );
    assert.deepEqual(values(''), []);
    assert.deepEqual(values('---\n# only a comment\n'), []);
  });

  it('reads JSON', () => {
    assert.deepEqual(values('{"a": ["x\\u00e9\\/", 1, true, null],\n\t"b": {}}'), [
      { a: ['xé/', 1, true, null], b: {} },
    ]);
  });

  it('takes an unquoted leading zero for octal, and nothing else', () => {
    assert.deepEqual(values('[0644, 0o644, 420, "0644", 0, 0800, 00, 1e3, 0x10]'), [
      [0o644, 0o644, 420, '0644', 0, '0800', 0, 1000, 16],
    ]);
  });

  it('takes the tags of JSON types', () => {
    assert.deepEqual(values('[!!str 5, !!int "0644", !!seq [], !!map {}]'), [['5', 0o644, [], {}]]);
  });

  it('tells the line of a field, also over documents', () => {
    const [, second] = readYamlDocuments('a: 1\n---\nb:\n  - x: 1\n  - x: 2\n    y: 3\n');
    assert.equal(second?.lineOf([]), 3);
    assert.equal(second?.lineOf(['b', 1]), 5);
    assert.equal(second?.lineOf(['b', 1, 'y']), 6);
    assert.equal(second?.lineOf(['b', 1, 'missing']), 5);
    assert.equal(second?.lineOf(['missing', 'deeper']), 3);
  });

  const refused: readonly [string, string, RegExp][] = [
    ['a duplicate key', 'x: 1\n---\na: hunter2\nb: 1\na: hunter2', /document 2, line 5: the key "a" is there twice/],
    ['a duplicate key below', 'a:\n  - {"b": 1, b: hunter2}', /document 1, line 2: the key "b" is there twice/],
    ['a key twice as number and text', '1: a\n"1": hunter2', /the key "1" is there twice/],
    ['bad indentation', 'a:\n    b: 1\n   hunter2: 1', /line 3: not valid YAML/],
    ['a tab', 'a:\n\tb: hunter2', /not valid YAML/],
    ['an open quote', 'a: "hunter2', /not valid YAML \(missing char\)/],
    ['an unknown alias', 'a: *hunter2', /not valid YAML|aliases/],
    ['an unknown tag', 'a: !hunter2 x', /not valid YAML \(tag resolve failed\)/],
    ['a binary tag', 'a:\n  b: !!binary aHVudGVyMg==', /line 2: it has a tag/],
    ['a set', '!!set {hunter2: }', /line 1: it has a tag/],
    ['a bad escape', 'a: "\\hunter2"', /not valid YAML \(bad dq escape\)/],
    ['a map as a key', '? {a: 1}\n: hunter2', /a key is not a plain word/],
    ['a merge key', 'a: &x {b: 1}\nc:\n  <<: *x', /line 3: merge keys/],
    ['JSON that is cut off', '{"a": {"b": "hunter2"', /not valid YAML/],
  ];
  for (const [name, text, message] of refused) {
    it(`refuses ${name}, without showing content`, () => {
      assert.throws(
        () => readYamlDocuments(text),
        (error) => {
          assert.ok(error instanceof DunnageError);
          assert.equal(error.code, 'INVALID_MANIFEST');
          assert.match(error.message, message);
          assert.doesNotMatch(`${error.message} ${error.remedy} ${String(error.cause)}`, /hunter2/);
          return true;
        },
      );
    });
  }

  it('is not blown up by aliases', () => {
    const levels = Array.from({ length: 12 }, (_, level) =>
      level === 0
        ? 'l0: &l0 [x]'
        : `l${level}: &l${level} [${Array(10)
            .fill(`*l${level - 1}`)
            .join(', ')}]`,
    );
    assert.throws(() => readYamlDocuments(levels.join('\n')), { code: 'INVALID_MANIFEST', message: /aliases/ });
    assert.deepEqual(values('a: &a [1]\nb: *a'), [{ a: [1], b: [1] }]);
  });

  it('is not blown up by depth', () => {
    const depth = 200_000;
    for (const [name, text] of [
      ['open lists', '['.repeat(depth)],
      ['lists', `${'['.repeat(depth)}${']'.repeat(depth)}`],
      ['maps', '{a: '.repeat(depth)],
      ['items', `${'- '.repeat(depth)}x\n- y`],
      ['keys', '? '.repeat(depth)],
      ['indentation', Array.from({ length: 1000 }, (_, level) => `${' '.repeat(level)}a:`).join('\n')],
    ] as const) {
      assert.throws(() => readYamlDocuments(text), { code: 'INVALID_MANIFEST', message: /nested more than/ }, name);
    }
    const deep = `${'['.repeat(90)}${']'.repeat(90)}`;
    assert.equal(values(deep).length, 1);
  });

  it('takes many keys in linear time', () => {
    const text = Array.from({ length: 50_000 }, (_, index) => `k${index}: v`).join('\n');
    assert.equal(Object.keys(values(text)[0] as object).length, 50_000);
  });

  it('has a limit on the size', () => {
    assert.throws(() => readYamlDocuments('#'.repeat(limits.manifestBytesMax + 1)), { code: 'TOO_LARGE' });
  });

  it('keeps __proto__ a key like any other', () => {
    const [value] = values('__proto__: {polluted: true}');
    assert.deepEqual(Object.keys(value as object), ['__proto__']);
    assert.equal(({} as { polluted?: boolean }).polluted, undefined);
  });
});
