import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseManifests } from '../../../src/projection/manifests/parse-manifests.ts';

const projection = (spec: string): string =>
  `apiVersion: dunnage/v1\nkind: Projection\nmetadata: {name: web}\n${spec}\n`;

describe('Projection', () => {
  it('reads text, bytes, modes and owners', () => {
    const [manifest] = parseManifests(
      projection(`spec:
  defaultMode: 0640
  files:
    - path: conf/app.ini
      data: |
        key = value
      mode: 0400
    - path: bin//tool
      base64: |
        AAE=
      mode: 0o755
      uid: 1000
      gid: 0
    - {path: empty, data: ""}`),
    );
    assert.deepEqual(
      manifest?.payload,
      new Map([
        ['conf/app.ini', { data: Buffer.from('key = value\n'), mode: 0o400 }],
        ['bin/tool', { data: Buffer.from([0, 1]), mode: 0o755, uid: 1000, gid: 0 }],
        ['empty', { data: Buffer.alloc(0), mode: 0o640 }],
      ]),
    );
    assert.equal(manifest?.secret, false);
    assert.equal(manifest?.immutable, false);
    assert.equal(manifest?.directory, 'web');
  });

  it('has 0644 as the default mode, and may be empty', () => {
    const [one] = parseManifests(projection('spec: {files: [{path: a, data: x}]}'));
    assert.equal(one?.payload.get('a')?.mode, 0o644);
    const [none] = parseManifests(projection('spec: {files: []}'));
    assert.equal(none?.payload.size, 0);
  });

  const refused: readonly [string, string, RegExp][] = [
    ['no spec', '', /spec: is missing/],
    ['no files', 'spec: {}', /spec\.files: is missing/],
    ['an unknown field', 'spec: {files: [], source: []}', /spec\.source: is not a known field/],
    [
      'an unknown field of a file',
      'spec: {files: [{path: a, data: x, owner: 1}]}',
      /spec\.files\[0\]\.owner: is not a known/,
    ],
    ['data at the top', 'data: {a: b}\nspec: {files: []}', /line 4: data: is not a known field/],
    ['no path', 'spec: {files: [{data: x}]}', /spec\.files\[0\]\.path: is missing/],
    ['no content', 'spec: {files: [{path: a}]}', /spec\.files\[0\]: must have exactly one of data and base64/],
    ['two contents', 'spec: {files: [{path: a, data: x, base64: eA==}]}', /exactly one of data and base64/],
    [
      'a mode in decimal by mistake',
      'spec: {files: [{path: a, data: x, mode: 644}]}',
      /spec\.files\[0\]\.mode: must be permission/,
    ],
    ['a special mode', 'spec: {defaultMode: 04755, files: []}', /spec\.defaultMode: must be permission/],
    ['an owner that is a name', 'spec: {files: [{path: a, data: x, uid: root}]}', /uid: must be an integer/],
    [
      'climbing',
      'spec: {files: [{path: ../a, data: x}]}',
      /spec\.files\[0\]\.path: invalid path: must not contain '\.\.'/,
    ],
    ['a reserved name', 'spec: {files: [{path: ./..data, data: x}]}', /must not start with '\.\.'/],
    [
      'one path twice',
      'spec: {files: [{path: a, data: x}, {path: a, data: y}]}',
      /files\[1\]\.path: "a" is the same file as that of files\[0\]/,
    ],
    [
      'one path twice, unclean',
      'spec: {files: [{path: a/b, data: x}, {path: a//b, data: y}]}',
      /files\[1\]\.path: "a\/\/b" is the same/,
    ],
    [
      'a file among parents',
      'spec: {files: [{path: a/b, data: x}, {path: a, data: y}]}',
      /spec\.files: invalid path: "a" is a file/,
    ],
    ['files that are a map', 'spec: {files: {a: b}}', /spec\.files: must be a list/],
  ];
  for (const [name, spec, message] of refused) {
    it(`refuses ${name}`, () => {
      assert.throws(() => parseManifests(projection(spec)), {
        name: 'DunnageError',
        code: 'INVALID_MANIFEST',
        message,
      });
    });
  }

  it('has no namespace and no name in a reserved form', () => {
    const named = (metadata: string): string =>
      `apiVersion: dunnage/v1\nkind: Projection\nmetadata: ${metadata}\nspec: {files: []}`;
    assert.equal(parseManifests(named('{name: a, namespace: default}'))[0]?.namespace, 'default');
    assert.throws(() => parseManifests(named('{name: a, namespace: prod}')), {
      message: /a Projection has no namespace/,
    });
    assert.throws(() => parseManifests(named('{name: secret.a}')), { message: /reserved/ });
    assert.throws(() => parseManifests(named('{name: a, uid: x}')), { message: /metadata\.uid: is not a known field/ });
  });
});
