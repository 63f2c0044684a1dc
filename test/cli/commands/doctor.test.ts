import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeDirectory } from '../../server/serve-fake.ts';
import { dunnage } from '../run-dunnage.ts';

test('doctor prints each check, and its exit code is that of what is missing', async (context) => {
  const directory = await makeDirectory(context);
  const words = ['doctor', '--state-dir', join(directory, 'state'), '--runtime-dir', join(directory, 'run')];
  const ran = await dunnage([...words, '--json']);
  const { ok, checks } = JSON.parse(ran.stdout) as {
    ok: boolean;
    checks: { name: string; verdict: string; remedy?: string[] }[];
  };
  assert.equal(ok, !checks.some(({ verdict }) => verdict === 'fail'));
  assert.equal(ran.exitCode, ok ? 0 : 10);
  assert.equal(checks.find(({ name }) => name === 'node')?.verdict, 'ok');
  assert.deepEqual(checks.find(({ name }) => name === 'daemon')?.remedy, ['dunnage up --detach']);
  const text = await dunnage(words);
  assert.equal(text.exitCode, ran.exitCode);
  // Other tests may mount something between the two runs, so verdicts are not compared.
  for (const { name } of checks) assert.match(text.stdout, new RegExp(`^(?:ok|warn|fail) +${name} `, 'm'));
});

test('a directory that cannot be written makes doctor fail', async (context) => {
  const directory = await makeDirectory(context);
  await writeFile(join(directory, 'file'), '');
  const ran = await dunnage(['doctor', '--state-dir', join(directory, 'file/state'), '--runtime-dir', directory]);
  assert.equal(ran.exitCode, 10);
  assert.match(ran.stdout, /^fail +state directory +.*\/file is no directory that user \d+ may write to$/m);
});
