import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { exampleSecret } from '../server/fake-operations.ts';
import { serveFake } from '../server/serve-fake.ts';
import { dunnage } from './run-dunnage.ts';

test('wrong usage is exit code 2, one line and where help is', async () => {
  const cases: readonly (readonly [words: readonly string[], message: string])[] = [
    [['stauts'], "dunnage: unknown command 'stauts' (Did you mean status?)\n"],
    [['status', '--jsno'], "dunnage: unknown option '--jsno' (Did you mean --json?)\n"],
    [['get'], "dunnage: missing required argument 'kind'\n"],
    [
      ['completion', 'tcsh'],
      "dunnage: command-argument value 'tcsh' is invalid for argument 'shell'. Allowed choices are bash, zsh, fish.\n",
    ],
    [
      ['up', '--transport', 'pigeon'],
      "dunnage: option '--transport <name>' argument 'pigeon' is invalid. Allowed choices are auto, kernel, fuse-native.\n",
    ],
  ];
  for (const [words, message] of cases) {
    const ran = await dunnage(words);
    assert.deepEqual(
      [ran.exitCode, ran.stdout, ran.stderr],
      [2, '', `${message}  see: dunnage --help, dunnage COMMAND --help\n`],
    );
  }
});

test('wrong usage with --json is one object on standard error', async () => {
  const ran = await dunnage(['--json', 'stauts']);
  assert.equal(ran.exitCode, 2);
  const { error } = JSON.parse(ran.stderr) as { error: { code: string; exitCode: number } };
  assert.deepEqual([error.code, error.exitCode], ['INVALID_ARGUMENT', 2]);
});

test('without a command the help is shown, on standard error because something is missing', async () => {
  const ran = await dunnage([]);
  assert.deepEqual([ran.exitCode, ran.stdout], [2, '']);
  assert.match(ran.stderr, /^Usage: dunnage/);
});

test('help and version are results', async () => {
  const help = await dunnage(['help', 'up']);
  assert.deepEqual([help.exitCode, help.stderr], [0, '']);
  assert.match(help.stdout, /^Usage: dunnage up[\s\S]*Examples:/);
  const version = await dunnage(['--version']);
  assert.deepEqual([version.exitCode, version.stderr], [0, '']);
  assert.match(version.stdout, /^\d+\.\d+\.\d+\S*\n$/);
});

test('an error shows no stack, unless it is asked for', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  const run = (words: readonly string[], environment = {}) => {
    operations.failure = new Error('a bug');
    return dunnage(['status', '--socket', socketPath, ...words], { environment });
  };
  const quiet = await run([]);
  assert.equal(quiet.exitCode, 1);
  assert.doesNotMatch(quiet.stderr, /^\s+at /m);
  for (const loud of [await run(['--debug']), await run([], { DUNNAGE_DEBUG: '1' })])
    assert.match(loud.stderr, /^\s+at /m);
  const asJson = JSON.parse((await run(['--json', '--debug'])).stderr) as { error: { stack?: string } };
  assert.match(asJson.error.stack ?? '', /DunnageError/);
});

test('a reader that goes away early is no error', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  for (let index = 0; index < 3000; index += 1)
    operations.objects.push({ ...exampleSecret(), name: `secret-${index}` });
  const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
  const child = spawn(process.execPath, [main, 'get', 'secrets', '--socket', socketPath], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdout.once('data', () => child.stdout.destroy());
  const [exitCode] = (await once(child, 'close')) as [number];
  assert.deepEqual([exitCode, stderr], [0, '']);
});
