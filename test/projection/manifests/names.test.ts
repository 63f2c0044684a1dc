import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  parseProjectionDirectory,
  projectionDirectory,
  validateNamespace,
  validateObjectName,
} from '../../../src/projection/manifests/names.ts';
import type { ProjectionKind } from '../../../src/projection/records.ts';

describe('projectionDirectory', () => {
  const cases: readonly [ProjectionKind, string, string, string][] = [
    ['Projection', 'default', 'web', 'web'],
    ['Projection', 'default', 'web.example', 'web.example'],
    ['Projection', 'default', 'secret', 'secret'],
    ['ConfigMap', 'default', 'web', 'configmap.web'],
    ['Secret', 'default', 'db', 'secret.db'],
    ['Secret', 'prod', 'db', 'prod.secret.db'],
    ['ConfigMap', 'prod', 'a.b', 'prod.configmap.a.b'],
    ['Secret', 'default', 'configmap.x', 'secret.configmap.x'],
    ['ConfigMap', 'prod', 'secret.x', 'prod.configmap.secret.x'],
  ];
  for (const [kind, namespace, name, directory] of cases) {
    it(`${kind} ${namespace}/${name} is ${directory}, and back`, () => {
      assert.equal(projectionDirectory(kind, namespace, name), directory);
      assert.deepEqual(parseProjectionDirectory(directory), { kind, namespace, name });
    });
  }

  const refused: readonly [ProjectionKind, string, string, RegExp][] = [
    ['Projection', 'default', 'secret.x', /reserved.*Secrets/],
    ['Projection', 'default', 'configmap.x', /reserved.*ConfigMaps/],
    ['Projection', 'default', 'prod.secret.x', /reserved/],
    ['Projection', 'prod', 'x', /no namespace/],
    ['Secret', 'secret', 'x', /namespace "secret" cannot be used/],
    ['ConfigMap', 'configmap', 'x', /namespace "configmap" cannot be used/],
    ['ConfigMap', 'a.b', 'x', /not a DNS label/],
    ['Secret', 'prod', '..', /not a DNS subdomain/],
  ];
  for (const [kind, namespace, name, message] of refused) {
    it(`refuses ${kind} ${namespace}/${name}`, () => {
      assert.throws(() => projectionDirectory(kind, namespace, name), { code: 'INVALID_ARGUMENT', message });
    });
  }

  it('refuses a directory name that is longer than a file name', () => {
    assert.equal(projectionDirectory('Secret', 'default', 'a'.repeat(248)).length, 255);
    assert.throws(() => projectionDirectory('Secret', 'default', 'a'.repeat(249)), { code: 'NAME_TOO_LONG' });
  });

  it('never gives two objects one directory', () => {
    const label = fc.constantFrom('a', 'secret', 'configmap', 'default');
    const object = fc.record({
      kind: fc.constantFrom<ProjectionKind>('Projection', 'ConfigMap', 'Secret'),
      namespace: label,
      name: fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.')),
    });
    fc.assert(
      fc.property(object, ({ kind, namespace, name }) => {
        let directory: string;
        try {
          directory = projectionDirectory(kind, namespace, name);
        } catch {
          return;
        }
        assert.deepEqual(parseProjectionDirectory(directory), { kind, namespace, name });
      }),
      { numRuns: 2000 },
    );
  });
});

it('parseProjectionDirectory knows no object of a name that cannot be one', () => {
  for (const directory of [
    '',
    '..data',
    'A',
    'secret.',
    'secret.A',
    'a_b',
    'secret..x',
    'Prod.secret.x',
    'x'.repeat(256),
  ]) {
    assert.equal(parseProjectionDirectory(directory), undefined, directory);
  }
});

it('names follow the DNS rules', () => {
  for (const name of ['a', 'a-b', '0', 'a.b-c.d', 'a'.repeat(253)]) validateObjectName(name);
  for (const name of ['', '.', 'a.', '.a', 'a..b', '-a', 'a-', 'A', 'a_b', 'a/b', 'é', 'a\n', 'a'.repeat(254)]) {
    assert.throws(() => validateObjectName(name), { code: 'INVALID_ARGUMENT', message: /DNS subdomain/ }, name);
  }
  validateNamespace('a'.repeat(63));
  for (const namespace of ['', 'a'.repeat(64), 'a.b', 'A', '-']) {
    assert.throws(() => validateNamespace(namespace), { message: /DNS label/ }, namespace);
  }
});
