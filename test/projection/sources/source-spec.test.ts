import assert from 'node:assert/strict';
import { test } from 'node:test';
import { objectsOf, type SourceSpec, sourceName, sourceTitle } from '../../../src/projection/sources/source-spec.ts';

const object = (kind: 'configMap' | 'secret' | 'projection', namespace: string, directory: string): SourceSpec => ({
  kind,
  namespace,
  name: 'web',
  directory,
});

test('sourceName says what a person wrote, with a namespace where it matters', () => {
  const sources: readonly SourceSpec[] = [
    { kind: 'literal', content: new Map() },
    { kind: 'metadata', fields: [] },
    { kind: 'file', path: '/etc/app.conf', as: 'app.conf' },
    { kind: 'directory', path: '/srv' },
    object('configMap', 'default', 'configmap.web'),
    object('secret', 'prod', 'prod.secret.web'),
    object('projection', 'default', 'web'),
  ];
  assert.deepEqual(sources.map(sourceName), [
    'literal',
    'metadata',
    'file /etc/app.conf',
    'directory /srv',
    'configMap web',
    'secret prod/web',
    'projection web',
  ]);
  assert.equal(sourceTitle(sources[5] as SourceSpec, 5), 'sources[5] (secret prod/web)');
  const used = objectsOf({ onCollision: 'Error', sources, files: [] });
  assert.deepEqual([...used], ['configmap.web', 'prod.secret.web', 'web']);
});
