import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatTarget, KIND_WORDS, parseKind, parseTarget } from '../../src/cli/kinds.ts';

test('every spelling is a kind, in any case', () => {
  for (const word of KIND_WORDS) assert.equal(parseKind(word.toUpperCase()), parseKind(word));
  assert.equal(parseKind('cm'), 'ConfigMap');
  assert.equal(parseKind('secrets'), 'Secret');
  assert.equal(parseKind('projection'), 'Projection');
});

test('a word that is no kind is refused, also one that every object has', () => {
  for (const word of ['', 'pod', 'toString', '__proto__', 'constructor'])
    assert.throws(() => parseKind(word), { code: 'INVALID_ARGUMENT' });
  assert.throws(() => parseKind('confgmap'), { remedy: /^did you mean configmap\? / });
});

test('KIND NAME and KIND/NAME mean the same; a name may hold what a name may hold', () => {
  assert.deepEqual(parseTarget('secret', 'db'), { kind: 'Secret', name: 'db' });
  assert.deepEqual(parseTarget('secret/db', undefined), { kind: 'Secret', name: 'db' });
  assert.deepEqual(parseTarget('secret/a/b', undefined), { kind: 'Secret', name: 'a/b' });
});

test('a missing or a second name is refused', () => {
  for (const [first, second] of [
    ['secret', undefined],
    ['secret/', undefined],
    ['secret', ''],
    ['secret/a', 'b'],
    ['/a', undefined],
  ] as const) {
    assert.throws(() => parseTarget(first, second), { code: 'INVALID_ARGUMENT' });
  }
});

test('the default namespace is not told', () => {
  assert.equal(formatTarget({ kind: 'ConfigMap', name: 'web' }, 'default'), 'configmap/web');
  assert.equal(formatTarget({ kind: 'ConfigMap', name: 'web' }, 'prod'), 'configmap/web (namespace prod)');
});
