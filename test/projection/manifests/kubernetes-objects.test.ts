import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import type { Manifest } from '../../../src/projection/manifests/manifest.ts';
import { parseManifests } from '../../../src/projection/manifests/parse-manifests.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

function only(text: string): Manifest {
  const manifests = parseManifests(text);
  assert.equal(manifests.length, 1);
  return manifests[0] as Manifest;
}

function contents(manifest: Manifest): Record<string, string> {
  return Object.fromEntries([...manifest.payload].map(([path, { data }]) => [path, Buffer.from(data).toString()]));
}

const configMap = (rest: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n${rest}\n`;
const secret = (rest: string): string => `apiVersion: v1\nkind: Secret\nmetadata: {name: db}\n${rest}\n`;

describe('ConfigMap', () => {
  it('makes every key of data and binaryData a file of mode 0644', () => {
    const manifest = only(configMap(`data: {a.ini: "x=1\\n", .hidden: é}\nbinaryData: {bin: ${base64('\0\x01')}}`));
    assert.deepEqual(contents(manifest), { 'a.ini': 'x=1\n', '.hidden': 'é', bin: '\0\x01' });
    assert.ok([...manifest.payload.values()].every(({ mode, uid }) => mode === 0o644 && uid === undefined));
    assert.equal(manifest.secret, false);
  });

  it('may be empty, binary only, or have empty maps', () => {
    assert.deepEqual(contents(only(configMap(''))), {});
    assert.deepEqual(contents(only(configMap('data:\nbinaryData: {}'))), {});
    assert.deepEqual(contents(only(configMap(`binaryData: {b: ${base64('b')}}`))), { b: 'b' });
  });

  it('may be immutable', () => {
    assert.equal(only(configMap('immutable: true')).immutable, true);
    assert.equal(only(configMap('immutable: false')).immutable, false);
    assert.equal(only(configMap('data: {}')).immutable, false);
  });

  const refused: readonly [string, string, RegExp][] = [
    [
      'a key in data and binaryData',
      'data: {a: x}\nbinaryData: {a: eA==}',
      /line 5: binaryData\.a: the key is in data too/,
    ],
    ['a number', 'data: {port: 4711}', /line 4: data\.port: must be a string/],
    ['null', 'data: {a: }', /data\.a: is missing/],
    ['a map', 'data: {a: {b: c}}', /data\.a: must be a string/],
    ['data that is text', 'data: 4711', /data: must be a map/],
    ['bad base64', 'binaryData: {a: "4711!"}', /binaryData\.a: is not valid base64/],
    ['a key with a slash', 'data: {a/b: x}', /data\["a\/b"\]: is not a valid key/],
    ['a key beginning with ..', 'data: {..a: x}', /is not a valid key/],
    ['the key .', 'data: {.: x}', /is not a valid key/],
    ['an empty key', 'data: {"": x}', /is not a valid key/],
    ['a key too long', `data: {${'a'.repeat(254)}: x}`, /is not a valid key/],
    ['an unknown field', 'stringData: {a: b}', /stringData: is not a known field/],
    ['immutable that is text', 'immutable: "yes"', /immutable: must be true or false/],
  ];
  for (const [name, rest, message] of refused) {
    it(`refuses ${name}`, () => {
      assert.throws(
        () => parseManifests(configMap(rest)),
        (error) => {
          assert.ok(error instanceof DunnageError);
          assert.equal(error.code, 'INVALID_MANIFEST');
          assert.match(error.message, message);
          assert.match(error.message, /document 1 \(ConfigMap "web"\)/);
          assert.doesNotMatch(error.message, /4711/);
          return true;
        },
      );
    });
  }
});

describe('Secret', () => {
  it('decodes data, and stringData wins over it', () => {
    const manifest = only(secret(`data: {a: ${base64('old')}, b: ${base64('b')}}\nstringData: {a: new, c: c}`));
    assert.deepEqual(contents(manifest), { a: 'new', b: 'b', c: 'c' });
    assert.equal(manifest.secret, true);
    assert.equal(manifest.directory, 'secret.db');
  });

  it('takes base64 that is folded over lines', () => {
    assert.deepEqual(contents(only(secret('data:\n  a: |\n    YW\n    Jj\n'))), { a: 'abc' });
  });

  it('takes any type, and holds the built-in ones to their keys', () => {
    only(secret('type: example.com/any\ndata: {}'));
    only(secret('type: constructor\ndata: {}'));
    only(secret('type: kubernetes.io/tls\nstringData: {tls.crt: a, tls.key: b}'));
    only(secret('type: kubernetes.io/basic-auth\nstringData: {username: a}'));
    only(secret(`type: kubernetes.io/dockerconfigjson\nstringData: {.dockerconfigjson: '{"auths":{}}'}`));
    const refused: readonly [string, RegExp][] = [
      ['type: kubernetes.io/tls\nstringData: {tls.crt: a}', /needs the key "tls\.key"/],
      ['type: kubernetes.io/ssh-auth', /needs the key "ssh-privatekey"/],
      ['type: kubernetes.io/basic-auth', /needs one of the keys "username", "password"/],
      ['type: kubernetes.io/dockerconfigjson\nstringData: {.dockerconfigjson: hunter2}', /is not a JSON object/],
      [
        'type: kubernetes.io/dockercfg\nstringData: {.dockercfg: "[1]"}',
        /content of "\.dockercfg" is not a JSON object/,
      ],
      [
        'type: kubernetes.io/service-account-token',
        /service-account\.name"\]: a Secret of this type needs the annotation/,
      ],
      ['type: 5', /type: must be a string/],
    ];
    for (const [rest, message] of refused) {
      assert.throws(() => parseManifests(secret(rest)), { code: 'INVALID_MANIFEST', message }, rest);
    }
  });

  it('is never shown in a message', () => {
    const value = 'hunter2';
    for (const rest of [
      `data: {password: ${value}}`,
      `data: {password: [${value}]}`,
      `data: ${value}`,
      `data: [${value}]`,
      `stringData: {password: {x: ${value}}}`,
      `stringData: {password: !${value} x}`,
      `stringData: {password: "\\${value}"}`,
      `stringData: {password: "${value}`,
      `stringData: {password: *${value}}`,
      `stringData:\n  password: ${value}\n  password: ${value}`,
      `stringData:\n  password: ${value}\n ${value}`,
      `stringData: {password: @${value}}`,
      `stringData: {password: ${value}}}`,
      `stringData:\n  password: a: ${value}`,
      `immutable: ${value}`,
    ]) {
      assert.throws(
        () => parseManifests(secret(rest)),
        (error) => {
          assert.ok(error instanceof DunnageError, String(error));
          assert.doesNotMatch(`${error.stack} ${error.remedy} ${String(error.cause)}`, /hunter2/);
          return true;
        },
        rest,
      );
    }
  });
});
