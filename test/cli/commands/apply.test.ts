import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import type { ApplyResult } from '../../../src/server/operations.ts';
import { serveFake } from '../../server/serve-fake.ts';
import { dunnage } from '../run-dunnage.ts';

const RESULTS: readonly ApplyResult[] = [
  { kind: 'Secret', namespace: 'default', name: 'db', directory: 'secret.db', action: 'configured', generation: 2 },
  {
    kind: 'ConfigMap',
    namespace: 'prod',
    name: 'web',
    directory: 'prod.configmap.web',
    action: 'created',
    generation: 1,
  },
];

test('each object is printed with what became of it', async (context) => {
  const { socketPath, operations, directory } = await serveFake(context);
  operations.applied = RESULTS;
  const file = join(directory, 'a.yaml');
  await writeFile(file, 'kind: Secret # ü\n');
  const ran = await dunnage(['apply', '-f', file, '--socket', socketPath]);
  assert.deepEqual(ran, {
    exitCode: 0,
    stdout: 'secret/db configured\nconfigmap/web (namespace prod) created\n',
    stderr: '',
  });
  assert.deepEqual(operations.calls, [{ name: 'apply', arguments: ['kind: Secret # ü\n'] }]);
});

test('warnings go to standard error, and are part of the JSON', async (context) => {
  const { socketPath, operations, directory } = await serveFake(context);
  const [result] = RESULTS;
  operations.applied = [{ ...(result as ApplyResult), warnings: ['a and b both give "x"; b wins'] }];
  const file = join(directory, 'a.yaml');
  await writeFile(file, 'kind: Secret\n');
  assert.deepEqual(await dunnage(['apply', '-f', file, '--socket', socketPath]), {
    exitCode: 0,
    stdout: 'secret/db configured\n',
    stderr: 'warning: secret/db: a and b both give "x"; b wins\n',
  });
  const { stdout } = await dunnage(['apply', '-f', file, '--json', '--socket', socketPath]);
  assert.deepEqual(JSON.parse(stdout), operations.applied);
});

test('directories, files and standard input are applied in the order given, each on its own', async (context) => {
  const { socketPath, operations, directory } = await serveFake(context);
  const manifests = join(directory, 'manifests');
  await mkdir(join(manifests, 'deeper.yaml.d'), { recursive: true });
  for (const name of ['b.yml', 'a.yaml', 'c.json', '..data.yaml', 'notes.txt'])
    await writeFile(join(manifests, name), name);
  const ran = await dunnage(['apply', '-f', '-', '-f', manifests, '--json', '--socket', socketPath], {
    input: 'from stdin',
  });
  assert.equal(ran.exitCode, 0, ran.stderr);
  assert.deepEqual(
    operations.calls.map((call) => call.arguments[0]),
    ['from stdin', 'a.yaml', 'b.yml', 'c.json'],
  );
});

test('the file that is wrong is named, and what was applied before it is still printed', async (context) => {
  const { socketPath, operations, directory } = await serveFake(context);
  await writeFile(join(directory, 'a.yaml'), 'good');
  await writeFile(join(directory, 'b.yaml'), 'bad');
  operations.applied = RESULTS.slice(0, 1);
  const apply = operations.apply.bind(operations);
  operations.apply = async (manifest) => {
    if (manifest === 'bad')
      throw new DunnageError('INVALID_MANIFEST', 'document 1: kind is missing', { remedy: 'add it' });
    return apply(manifest);
  };
  const words = ['apply', '-f', join(directory, 'a.yaml'), '-f', join(directory, 'b.yaml'), '--socket', socketPath];
  const ran = await dunnage(words);
  assert.deepEqual(ran, {
    exitCode: 2,
    stdout: 'secret/db configured\n',
    stderr: `dunnage: ${join(directory, 'b.yaml')}: document 1: kind is missing\n  add it\n`,
  });
  const asJson = await dunnage([...words, '--json']);
  assert.deepEqual(JSON.parse(asJson.stdout), RESULTS.slice(0, 1));
  assert.deepEqual(JSON.parse(asJson.stderr), {
    error: {
      code: 'INVALID_MANIFEST',
      message: `${join(directory, 'b.yaml')}: document 1: kind is missing`,
      remedy: 'add it',
      exitCode: 2,
    },
  });
});

test('nothing is asked of the daemon if the command line is wrong', async (context) => {
  const { socketPath, operations, directory } = await serveFake(context);
  const cases: readonly (readonly [words: readonly string[], exitCode: number, message: RegExp])[] = [
    [[], 2, /--filename <file>' not specified/],
    [['-f', join(directory, 'missing.yaml')], 4, /cannot read .*missing\.yaml/],
    [['-f', '-', '-f', '-'], 2, /only once/],
    [['-f', directory], 2, /holds no manifest/],
    [['-f', '-', 'extra'], 2, /too many arguments/],
  ];
  for (const [words, exitCode, message] of cases) {
    const ran = await dunnage(['apply', ...words, '--socket', socketPath]);
    assert.equal(ran.exitCode, exitCode, ran.stderr);
    assert.match(ran.stderr, message);
  }
  const binary = await dunnage(['apply', '-f', '-', '--socket', socketPath], { input: Uint8Array.of(0xff, 0xfe) });
  assert.deepEqual([binary.exitCode, binary.stderr], [2, 'dunnage: standard input is not UTF-8 text\n']);
  assert.deepEqual(operations.calls, []);
});
