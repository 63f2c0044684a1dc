import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import { Field } from '../../../src/projection/manifests/fields.ts';
import { readYamlDocuments } from '../../../src/projection/manifests/yaml-documents.ts';

function fieldOf(text: string, title = ''): Field {
  const [document] = readYamlDocuments(text);
  assert.ok(document);
  return new Field({ document, title, root: [] }, [], document.value);
}

describe('Field', () => {
  it('names document, object, line and field', () => {
    const field = fieldOf('a:\n  b:\n    - x.y: 1\n', 'Secret "db"');
    const deep = field.get('a').get('b').items()[0]?.get('x.y');
    assert.equal(deep?.error('is odd').message, 'document 1 (Secret "db"), line 3: a.b[0]["x.y"]: is odd');
    assert.equal(field.error('is odd', 'mend it').message, 'document 1 (Secret "db"), line 1: is odd');
    assert.equal(field.error('is odd', 'mend it').remedy, 'mend it');
  });

  it('reads modes octal and decimal', () => {
    for (const [text, mode] of [
      ['0644', 0o644],
      ['0o644', 0o644],
      ['"0644"', 0o644],
      ['"644"', 0o644],
      ['"0o600"', 0o600],
      ['420', 0o644],
      ['0', 0],
      ['511', 0o777],
      ['0777', 0o777],
    ] as const) {
      assert.equal(fieldOf(`m: ${text}`).get('m').mode(), mode, text);
    }
    for (const text of ['644', '01000', '0800', '"0800"', '-1', '1.5', 'true', '""', '"rw"', '[]', '.nan', '"1000"']) {
      assert.throws(() => fieldOf(`m: ${text}`).get('m').mode(), { code: 'INVALID_MANIFEST', message: /0777/ }, text);
    }
  });

  it('reads integers in bounds', () => {
    assert.equal(fieldOf('n: 5').get('n').integer(5), 5);
    for (const text of ['6', '-1', '"5"', '1.5', '.inf']) {
      assert.throws(() => fieldOf(`n: ${text}`).get('n').integer(5), { message: /from 0 to 5/ }, text);
    }
  });

  it('reads base64 with line breaks', () => {
    assert.equal(fieldOf('b: |\n  YW\n  Jj\n').get('b').base64().toString(), 'abc');
    assert.throws(
      () => fieldOf('b: "hunter2!"').get('b').base64(),
      (error: Error) => !error.message.includes('hunter2'),
    );
  });

  it('refuses other types without showing the value', () => {
    const field = fieldOf('text: 4711\nlist: {a: 4711}\nmap: [4711]\nflag: 4711');
    const refusals = [
      () => field.get('text').string(),
      () => field.get('missing').string(),
      () => field.get('list').items(),
      () => field.get('map').entries(),
      () => field.get('map').only([]),
      () => field.get('flag').boolean(),
    ];
    for (const refuse of refusals) {
      assert.throws(refuse, (error) => error instanceof DunnageError && !error.message.includes('4711'));
    }
  });

  it('does not take inherited properties for fields', () => {
    assert.ok(fieldOf('a: 1').get('constructor').isAbsent);
    assert.ok(fieldOf('a: 1').get('__proto__').isAbsent);
  });

  it('only() names the unknown field and the known ones', () => {
    assert.throws(() => fieldOf('a: 1\nbb: 2').only(['a', 'b']), {
      message: 'document 1, line 2: bb: is not a known field',
      remedy: 'known here: a, b',
    });
  });

  it('checked() tells complaints of the rules as its own', () => {
    const field = fieldOf('path: x').get('path');
    const rule = (): never => {
      throw new DunnageError('INVALID_PATH', 'wrong', { remedy: 'right' });
    };
    assert.throws(() => field.checked(rule), { code: 'INVALID_MANIFEST', message: /path: wrong/, remedy: 'right' });
    assert.throws(
      () =>
        field.checked(() => {
          throw new TypeError('bug');
        }),
      TypeError,
    );
  });
});
