import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import { parseManifests } from '../../../src/projection/manifests/parse-manifests.ts';

/** As `kubectl get configmap,secret -o yaml` prints them, managed fields and all. */
const KUBECTL_OUTPUT = `apiVersion: v1
items:
- apiVersion: v1
  data:
    ca.crt: |
      -----BEGIN CERTIFICATE-----
      MIIB
      -----END CERTIFICATE-----
  kind: ConfigMap
  metadata:
    annotations:
      kubernetes.io/description: Contains a CA bundle.
    creationTimestamp: "2026-01-05T10:00:00Z"
    managedFields:
    - apiVersion: v1
      fieldsType: FieldsV1
      fieldsV1:
        f:data:
          .: {}
          f:ca.crt: {}
      manager: kube-controller-manager
      operation: Update
      time: "2026-01-05T10:00:00Z"
    name: kube-root-ca.crt
    namespace: kube-system
    resourceVersion: "312"
    uid: 5a3c6c4e-0d7e-4f4f-8b43-0b4d3f0ef3a1
- apiVersion: v1
  data:
    password: aHVudGVyMg==
  immutable: true
  kind: Secret
  metadata:
    annotations:
      kubectl.kubernetes.io/last-applied-configuration: |
        {"apiVersion":"v1","data":{"password":"aHVudGVyMg=="},"kind":"Secret"}
    creationTimestamp: null
    labels:
      app: db
    name: db
    namespace: default
    ownerReferences: []
  type: Opaque
kind: List
metadata:
  resourceVersion: ""
`;

describe('parseManifests', () => {
  it('takes what kubectl prints', () => {
    const [map, secret] = parseManifests(KUBECTL_OUTPUT);
    assert.equal(map?.directory, 'kube-system.configmap.kube-root-ca.crt');
    assert.deepEqual([...(map?.payload.keys() ?? [])], ['ca.crt']);
    assert.deepEqual(map?.annotations, { 'kubernetes.io/description': 'Contains a CA bundle.' });
    assert.equal(secret?.directory, 'secret.db');
    assert.equal(secret?.immutable, true);
    assert.deepEqual(secret?.labels, { app: 'db' });
    assert.deepEqual(secret?.annotations, {}, 'the copy of the content is not kept');
    assert.equal(secret?.document, 1);
    assert.equal(Buffer.from(secret?.payload.get('password')?.data ?? []).toString(), 'hunter2');
  });

  it('takes JSON, and typed lists whose items leave their kind out', () => {
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { k: 'v' } };
    assert.equal(parseManifests(JSON.stringify(object, null, '\t'))[0]?.name, 'a');
    const list = { apiVersion: 'v1', kind: 'SecretList', items: [{ metadata: { name: 'a' }, data: { k: 'dg==' } }] };
    assert.equal(parseManifests(JSON.stringify(list))[0]?.kind, 'Secret');
  });

  it('numbers documents as they stand in the stream', () => {
    const one = (name: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n`;
    const manifests = parseManifests(`---\n${one('a')}---\n# nothing\n---\n${one('b')}`);
    assert.deepEqual(
      manifests.map(({ name, document }) => [name, document]),
      [
        ['a', 1],
        ['b', 3],
      ],
    );
  });

  it('takes one name in several namespaces and kinds', () => {
    const one = (kind: string, namespace: string): string =>
      `apiVersion: v1\nkind: ${kind}\nmetadata: {name: a, namespace: ${namespace}}\n`;
    const text = [one('ConfigMap', 'default'), one('ConfigMap', 'prod'), one('Secret', 'prod')].join('---\n');
    assert.deepEqual(
      parseManifests(text).map(({ directory }) => directory),
      ['configmap.a', 'prod.configmap.a', 'prod.secret.a'],
    );
  });

  const head = 'apiVersion: v1\nkind: ConfigMap\n';
  const good = `${head}metadata: {name: good}\n---\n`;
  const refused: readonly [string, string, RegExp][] = [
    ['nothing at all', '', /the manifest holds no object/],
    ['only comments', '# x\n---\n# y', /the manifest holds no object/],
    ['an empty list', 'apiVersion: v1\nkind: List\nitems: []', /the manifest holds no object/],
    ['text', 'hello', /document 1, line 1: must be an object/],
    ['a list without a kind', '[1, 2]', /must be an object/],
    ['no apiVersion', 'kind: ConfigMap', /apiVersion: is missing/],
    ['no kind', 'apiVersion: v1', /kind: is missing/],
    [
      'another kind',
      'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}',
      /"apps\/v1 Deployment" cannot be applied/,
    ],
    ['another version', 'apiVersion: v2\nkind: Secret\nmetadata: {name: x}', /"v2 Secret" cannot be applied/],
    ['a kind named like a property', 'apiVersion: v1\nkind: constructor', /cannot be applied/],
    [
      'a list in a list',
      'apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: List, items: []}]',
      /"v1 List" cannot be applied/,
    ],
    ['a list of nothing', 'apiVersion: v1\nkind: List\nitems: [null]', /\(item 1\).*apiVersion: is missing/],
    ['no metadata', head, /metadata: is missing/],
    ['no name', `${head}metadata: {}`, /metadata\.name: is missing/],
    ['a generated name', `${head}metadata: {generateName: x-}`, /metadata\.generateName: is not supported/],
    ['a bad name', `${head}metadata: {name: A}`, /metadata: the name "A" is not a DNS subdomain/],
    ['a name that climbs', `${head}metadata: {name: ../x}`, /not a DNS subdomain/],
    ['a name that is a number', `${head}metadata: {name: 5}`, /metadata\.name: must be a string/],
    ['a bad namespace', `${head}metadata: {name: a, namespace: a.b}`, /is not a DNS label/],
    ['a misspelt field', `${head}metadata: {name: a, lables: {}}`, /metadata\.lables: is not a known field/],
    ['labels that are no text', `${head}metadata: {name: a, labels: {x: 1}}`, /metadata\.labels\.x: must be a string/],
    ['the second document', `${good}${head}metadata: {name: a}\ndat: {}`, /document 2 \(ConfigMap "a"\), line 8: dat/],
    ['one object twice', `${good}${head}metadata: {name: good}`, /documents 1 and 2 are both ConfigMap "good"/],
  ];
  for (const [name, text, message] of refused) {
    it(`refuses ${name}`, () => {
      assert.throws(() => parseManifests(text), { name: 'DunnageError', code: 'INVALID_MANIFEST', message });
    });
  }

  it('says which item of a list is wrong', () => {
    const text = KUBECTL_OUTPUT.replace('aHVudGVyMg==\n  immutable', 'aHVudGVyMg\n  immutable');
    assert.throws(
      () => parseManifests(text),
      (error) => {
        assert.ok(error instanceof DunnageError);
        assert.match(error.message, /^document 1 \(Secret "db" item 2\), line 30: data\.password: is not valid base64/);
        return true;
      },
    );
  });
});

describe('the wish to be audited', () => {
  const audited = (yaml: string): boolean | undefined => parseManifests(yaml)[0]?.audited;
  const web = (spec: string): string =>
    `{apiVersion: dunnage/v1, kind: Projection, metadata: {name: web}, spec: {files: []${spec}}}`;
  const object = (kind: string, annotations: string): string =>
    `{apiVersion: v1, kind: ${kind}, metadata: {name: db, annotations: {${annotations}}}}`;

  it('is a field of a Projection and an annotation of what Kubernetes has, and absent means no', () => {
    assert.deepEqual(
      [audited(web('')), audited(web(', audit: true')), audited(web(', audit: false'))],
      [false, true, false],
    );
    for (const kind of ['ConfigMap', 'Secret']) {
      assert.deepEqual(
        ['', 'dunnage/audit: "true"', 'dunnage/audit: "false"'].map((annotation) => audited(object(kind, annotation))),
        [false, true, false],
      );
    }
  });

  it('is refused in any other word', () => {
    const refused = (yaml: string, message: RegExp): void =>
      assert.throws(() => parseManifests(yaml), { code: 'INVALID_MANIFEST', message });
    refused(web(', audit: "yes"'), /spec\.audit: must be true or false/);
    refused(object('Secret', 'dunnage/audit: "yes"'), /dunnage\/audit.*must be "true" or "false"/);
    refused(object('Secret', 'dunnage/audit: true'), /must be a string/);
  });
});
