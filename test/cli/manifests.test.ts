import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { findManifests } from '../../src/cli/manifests.ts';
import { makeDirectory } from '../server/serve-fake.ts';

test('a projected directory of manifests counts each of them once', async (context) => {
  const directory = await makeDirectory(context);
  await mkdir(join(directory, '..ts.yaml'));
  await writeFile(join(directory, '..ts.yaml', 'a.yaml'), '');
  await symlink('..ts.yaml', join(directory, '..data'));
  await symlink('..data/a.yaml', join(directory, 'a.yaml'));
  assert.deepEqual(await findManifests([directory]), [join(directory, 'a.yaml')]);
});

test('a named file is taken whatever it is called, and in the order named', async (context) => {
  const directory = await makeDirectory(context);
  await writeFile(join(directory, 'notes.txt'), '');
  assert.deepEqual(await findManifests(['-', join(directory, 'notes.txt')]), ['-', join(directory, 'notes.txt')]);
});

test('nothing to apply, nothing there, and standard input twice are errors', async (context) => {
  const directory = await makeDirectory(context);
  await assert.rejects(findManifests([directory]), { code: 'INVALID_ARGUMENT' });
  await assert.rejects(findManifests([join(directory, 'missing')]), { code: 'NOT_FOUND' });
  await assert.rejects(findManifests(['-', '-']), { code: 'INVALID_ARGUMENT' });
});
