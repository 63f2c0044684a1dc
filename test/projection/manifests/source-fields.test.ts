import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '../../../src/base/limits.ts';
import { parseManifests } from '../../../src/projection/manifests/parse-manifests.ts';
import type { SourcedSpec } from '../../../src/projection/sources/source-spec.ts';

const manifest = (spec: string): string =>
  `apiVersion: dunnage/v1\nkind: Projection\nmetadata: {name: web}\nspec: ${spec}\n`;
const read = (spec: string): SourcedSpec | undefined => parseManifests(manifest(spec))[0]?.sourced;

describe('spec.sources', () => {
  it('is absent without sources, and there with none', () => {
    assert.equal(read('{files: []}'), undefined);
    assert.deepEqual(read('{sources: []}'), { onCollision: 'Error', sources: [], files: [] });
  });

  it('reads every kind with all its settings', () => {
    const spec = read(`
  defaultMode: 0640
  uid: 1
  fsGroup: {gid: 2000, policy: Exact}
  onCollision: Warn
  sources:
    - literal: {data: {a: text}, binaryData: {dir/b: AP8=}, prefix: p/, items: [{key: a, path: x, mode: 0400}]}
    - file: {path: /etc//app.conf, as: conf/./app.conf, mode: 0600, optional: true}
    - file: {path: /etc/hosts}
    - directory: {path: /srv/conf/, prefix: d, uid: 0, gid: 7}
    - configMap: {name: web, namespace: prod}
    - secret: {name: db}
    - projection: {name: base, optional: false}
    - metadata: {items: [{path: l, fieldRef: metadata.labels}, {path: n, fieldRef: {fieldPath: metadata.name}, mode: 0444}]}
  files: [{path: own, data: x, uid: 3}]`);
    const literal = new Map([
      ['a', Buffer.from('text')],
      ['dir/b', Buffer.from([0, 255])],
    ]);
    assert.deepEqual(spec, {
      defaultMode: 0o640,
      uid: 1,
      fsGroup: { gid: 2000, policy: 'Exact' },
      onCollision: 'Warn',
      sources: [
        { kind: 'literal', content: literal, prefix: 'p', items: [{ key: 'a', path: 'x', mode: 0o400 }] },
        { kind: 'file', path: '/etc/app.conf', as: 'conf/app.conf', mode: 0o600, optional: true },
        { kind: 'file', path: '/etc/hosts', as: 'hosts' },
        { kind: 'directory', path: '/srv/conf', prefix: 'd', uid: 0, gid: 7 },
        { kind: 'configMap', namespace: 'prod', name: 'web', directory: 'prod.configmap.web' },
        { kind: 'secret', namespace: 'default', name: 'db', directory: 'secret.db' },
        { kind: 'projection', namespace: 'default', name: 'base', directory: 'base', optional: false },
        {
          kind: 'metadata',
          fields: [
            { path: 'l', fieldRef: 'metadata.labels' },
            { path: 'n', fieldRef: 'metadata.name', mode: 0o444 },
          ],
        },
      ],
      files: [{ path: 'own', data: Buffer.from('x'), uid: 3 }],
    });
  });

  it('takes a group alone for one that widens, as Kubernetes does', () => {
    assert.deepEqual(read('{fsGroup: 5, sources: []}')?.fsGroup, { gid: 5, policy: 'Widen' });
    const [plain] = parseManifests(manifest('{fsGroup: 5, uid: 6, files: [{path: a, data: x, mode: 0400}]}'));
    assert.deepEqual(plain?.payload.get('a'), { data: Buffer.from('x'), mode: 0o440, uid: 6, gid: 5 });
  });

  const refused: readonly (readonly [string, string, RegExp])[] = [
    [
      'two kinds in one entry',
      '{sources: [{file: {path: /a}, secret: {name: a}}]}',
      /sources\[0\]: must have exactly one of/,
    ],
    ['an empty entry', '{sources: [{}]}', /sources\[0\]: must have exactly one of literal, file, directory/],
    ['an unknown kind', '{sources: [{http: {url: x}}]}', /sources\[0\]\.http: is not a known field/],
    ['an unknown setting', '{sources: [{file: {path: /a, items: []}}]}', /file\.items: is not a known field/],
    ['a relative host path', '{sources: [{file: {path: a}}]}', /file\.path: must be an absolute path/],
    ['the whole host', '{sources: [{directory: {path: //}}]}', /directory\.path: is the whole file system/],
    [
      'a prefix that climbs',
      '{sources: [{configMap: {name: a, prefix: ../b}}]}',
      /prefix: invalid path: must not contain/,
    ],
    [
      'an item path that is reserved',
      '{sources: [{secret: {name: a, items: [{key: k, path: ..data}]}}]}',
      /must not start/,
    ],
    ['an item without a key', '{sources: [{secret: {name: a, items: [{path: p}]}}]}', /items\[0\]\.key: is missing/],
    ['a name that is none', '{sources: [{configMap: {name: A_B}}]}', /configMap\.name: the name "A_B" is not a DNS/],
    [
      'a namespace of a projection',
      '{sources: [{projection: {name: a, namespace: b}}]}',
      /namespace: is not a known field/,
    ],
    [
      'a literal key twice',
      '{sources: [{literal: {data: {a: x}, binaryData: {./a: eA==}}}]}',
      /the key is there twice/,
    ],
    [
      'a field that is none',
      '{sources: [{metadata: {items: [{path: p, fieldRef: metadata.uid}]}}]}',
      /no field that can be/,
    ],
    [
      'metadata at one path twice',
      '{sources: [{metadata: {items: [{path: p, fieldRef: metadata.name}, {path: p, fieldRef: metadata.name}]}}]}',
      /another item/,
    ],
    ['metadata without items', '{sources: [{metadata: {}}]}', /items: is missing/],
    ['another word for collisions', '{onCollision: Ignore, sources: []}', /onCollision: must be Error or Warn/],
    ['another policy', '{fsGroup: {gid: 1, policy: Both}, sources: []}', /policy: must be Widen or Exact/],
    ['two groups', '{gid: 1, fsGroup: 2, sources: []}', /gid: is the group of files, and so is fsGroup/],
    ['sources that are no list', '{sources: {}}', /spec\.sources: must be a list/],
    ['too many', `{sources: [${'{literal: {data: {}}},'.repeat(limits.sourcesMax + 1)}]}`, /more than 256 entries/],
  ];
  for (const [what, spec, message] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(() => read(spec), { code: 'INVALID_MANIFEST', message });
    });
  }
});
