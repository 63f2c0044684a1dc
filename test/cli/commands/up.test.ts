import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeDirectory } from '../../server/serve-fake.ts';
import { dunnage } from '../run-dunnage.ts';

test('a config file that is wrong is refused before anything is made', async (context) => {
  const directory = await makeDirectory(context);
  const file = join(directory, 'dunnage.toml');
  await writeFile(file, `runtime_dir = ${JSON.stringify(join(directory, 'run'))}\nstat_dir = "/x"\n`);
  for (const words of [
    ['up', '--config', file],
    ['up', '--detach', '--config', file],
  ]) {
    const ran = await dunnage(words);
    assert.deepEqual([ran.exitCode, ran.stdout], [2, '']);
    assert.equal(ran.stderr, `dunnage: ${file}: unknown key "stat_dir"\n  did you mean state_dir?\n`);
  }
  await assert.rejects(stat(join(directory, 'run')), { code: 'ENOENT' });
});

test('a transport that there is not is refused, also from the file', async (context) => {
  const file = join(await makeDirectory(context), 'dunnage.toml');
  await writeFile(file, 'transport = "pigeon"');
  for (const words of [
    ['--transport', 'pigeon'],
    ['--config', file],
  ]) {
    const ran = await dunnage(['up', ...words]);
    assert.equal(ran.exitCode, 2);
    assert.match(ran.stderr, /transport.*auto, kernel, fuse-native/);
  }
});

test('a detached daemon that cannot start fails the command with its own error', async (context) => {
  const directory = await makeDirectory(context);
  const stateDir = join(directory, 'state');
  await writeFile(stateDir, 'a file where a directory must be');
  const words = ['up', '--state-dir', stateDir, '--runtime-dir', join(directory, 'run')];
  const here = await dunnage(words);
  const detached = await dunnage([...words, '--detach']);
  assert.notEqual(here.exitCode, 0);
  assert.equal(detached.exitCode, here.exitCode);
  assert.equal(detached.stdout, '');
  assert.ok(here.stderr.endsWith(detached.stderr), `${here.stderr} ends with ${detached.stderr}`);
  const log = join(directory, 'run', 'dunnage.log');
  assert.equal((await stat(log)).mode & 0o777, 0o600);
  assert.match(await readFile(log, 'utf8'), /dunnage: /);
});

test('a log that cannot be opened is said', async (context) => {
  const directory = await makeDirectory(context);
  await writeFile(join(directory, 'run'), '');
  const ran = await dunnage([
    'up',
    '--detach',
    '--state-dir',
    join(directory, 'state'),
    '--runtime-dir',
    join(directory, 'run'),
  ]);
  assert.notEqual(ran.exitCode, 0);
  assert.match(ran.stderr, /^dunnage: cannot open the log /);
});
