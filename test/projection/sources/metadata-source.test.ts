import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readMetadataSource, validateFieldRef } from '../../../src/projection/sources/metadata-source.ts';

const METADATA = {
  namespace: 'default',
  name: 'web',
  labels: { key2: 'value2', key1: 'value1' },
  annotations: { a1: 'value1', 'Example.com/Note': 'two\nlines' },
};

describe('readMetadataSource', () => {
  const read = (fieldRef: string): string | undefined => {
    const files = readMetadataSource({ kind: 'metadata', fields: [{ path: 'f', fieldRef }] }, METADATA);
    const { content } = files.get('f') ?? {};
    return content instanceof Uint8Array ? Buffer.from(content).toString() : undefined;
  };
  for (const [fieldRef, content] of [
    ['metadata.name', 'web'],
    ['metadata.namespace', 'default'],
    ['metadata.labels', 'key1="value1"\nkey2="value2"'],
    ['metadata.annotations', 'Example.com/Note="two\\nlines"\na1="value1"'],
    ["metadata.labels['key1']", 'value1'],
    ["metadata.annotations['Example.com/Note']", 'two\nlines'],
    ["metadata.labels['missing']", ''],
    ["metadata.labels['constructor']", ''],
  ] as const) {
    it(`reads ${fieldRef}`, () => assert.equal(read(fieldRef), content));
  }

  it('takes the mode of the item before that of the source, and places below the prefix', () => {
    const fields = [
      { path: 'one', fieldRef: 'metadata.name', mode: 0o400 },
      { path: 'two', fieldRef: 'metadata.name' },
    ];
    const files = readMetadataSource({ kind: 'metadata', fields, mode: 0o440, prefix: 'info', uid: 7 }, METADATA);
    assert.deepEqual(
      [...files].map(([path, { mode, uid }]) => [path, mode, uid]),
      [
        ['info/one', 0o400, 7],
        ['info/two', 0o440, 7],
      ],
    );
  });
});

describe('validateFieldRef', () => {
  for (const fieldRef of [
    "metadata.annotations['']",
    "metadata.labels['Example.com/x']",
    "metadata.labels['-x']",
    "metadata.labels['a/b/c']",
    `metadata.labels['${'x'.repeat(64)}']`,
    'metadata.uid',
    'metadata.labels[key]',
    'spec.nodeName',
    '',
  ]) {
    it(`refuses ${fieldRef}`, () => assert.throws(() => validateFieldRef(fieldRef), { code: 'INVALID_ARGUMENT' }));
  }
});
