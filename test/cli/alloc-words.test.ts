import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toAllocManifest } from '../../src/cli/alloc-words.ts';
import { readAlloc } from '../../src/daemon/allocs/alloc-manifest.ts';
import { readYamlDocuments } from '../../src/projection/manifests/yaml-documents.ts';

test('the options become a manifest that the daemon reads', () => {
  const yaml = toAllocManifest('a: {b', { task: ['web', 'log'], user: '5:6', secretsSize: '2MiB', isolation: 'image' });
  assert.deepEqual(JSON.parse(yaml).metadata, { name: 'a: {b' });
  const [document] = readYamlDocuments(
    toAllocManifest('a', { task: ['web', 'log'], user: '5:6', secretsSize: '2MiB' }),
  );
  assert.ok(document);
  const { id, tasks } = readAlloc(document);
  assert.equal(id, 'a');
  assert.deepEqual(
    tasks.map(({ name, user, secretsSizeBytes }) => [name, user, secretsSizeBytes]),
    [
      ['web', '5:6', 2_097_152],
      ['log', '5:6', 2_097_152],
    ],
  );
});

test('an alloc without a task is refused', () => {
  assert.throws(() => toAllocManifest('a', { task: [] }), { code: 'INVALID_ARGUMENT' });
});
