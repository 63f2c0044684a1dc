import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { makeDirectory } from '../server/serve-fake.ts';
import { dunnage } from './run-dunnage.ts';

test("an empty value, a script's unset variable, is refused before anything is done", async (context) => {
  const cwd = await makeDirectory(context);
  const cases: readonly (readonly [option: string, words: readonly string[]])[] = [
    ['--runtime-dir', ['up', '--state-dir', cwd, '--runtime-dir', '']],
    ['--mount', ['down', '--runtime-dir', cwd, '--mount=']],
    ['--state-dir', ['doctor', '--runtime-dir', cwd, '--state-dir', '']],
    ['--socket', ['status', '--socket', '']],
    ['--socket', ['--socket', '', 'projection', 'write', 'web', '--payload', 'x']],
    ['--filename', ['apply', '-f', 'x', '-f', '']],
    ['--namespace', ['delete', 'secret', 'db', '-n', '']],
  ];
  for (const [option, words] of cases) {
    assert.deepEqual(await dunnage(words, { cwd }), {
      exitCode: 2,
      stdout: '',
      stderr: `dunnage: the value of ${option} is empty\n  give one, or leave the option out\n`,
    });
  }
  assert.deepEqual(await readdir(cwd), []);
});
