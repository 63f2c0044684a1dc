import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { serveFake } from '../../server/serve-fake.ts';
import { dunnage } from '../run-dunnage.ts';

const PAYLOAD = '{"files":{"a/b":{"data":"aGVsbG8=","mode":256,"uid":1,"gid":2}}}';

test('a payload is written from a file and from standard input', async (context) => {
  const { socketPath, operations, directory } = await serveFake(context);
  const file = join(directory, 'payload.json');
  await writeFile(file, PAYLOAD);
  const fromFile = await dunnage(['projection', 'write', 'web', '--payload', file, '--socket', socketPath]);
  assert.deepEqual(fromFile, { exitCode: 0, stdout: 'projection/web created\n', stderr: '' });
  const piped = await dunnage(['projection', 'write', 'web', '--payload', '-', '--json', '--socket', socketPath], {
    input: PAYLOAD,
  });
  assert.equal((JSON.parse(piped.stdout) as { action: string }).action, 'created');
  assert.equal(operations.calls.length, 2);
  for (const { arguments: given } of operations.calls) {
    const [name, files] = given as [string, ReadonlyMap<string, { data: Uint8Array; mode: number }>];
    assert.equal(name, 'web');
    assert.deepEqual([...files.keys()], ['a/b']);
    assert.equal(Buffer.from(files.get('a/b')?.data ?? []).toString(), 'hello');
    assert.equal(files.get('a/b')?.mode, 0o400);
  }
});

test('a payload that is wrong is refused without its content', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  for (const input of [
    'hunter2',
    '{"files":{"a":{"data":"hunter2!"}}}',
    '{"files":{"a":{"data":"","hunter":2}}}',
    '',
  ]) {
    const ran = await dunnage(['projection', 'write', 'web', '--payload', '-', '--socket', socketPath], { input });
    assert.deepEqual([ran.exitCode, ran.stdout], [2, '']);
    assert.doesNotMatch(ran.stderr, /hunter2|\bat /);
  }
  assert.deepEqual(operations.calls, []);
});

test('the group alone shows its help and is wrong usage', async () => {
  const ran = await dunnage(['projection']);
  assert.equal(ran.exitCode, 2);
  assert.match(ran.stderr, /write \[options\] <name>/);
});

test('single files are sent as they are: one, several in one change, standard input', async (context) => {
  const { socketPath, operations, directory } = await serveFake(context);
  const write = (...words: string[]): ReturnType<typeof dunnage> =>
    dunnage(['projection', 'write', 'web', ...words, '--socket', socketPath], { input: 'piped' });
  const [one, other] = ['one', 'other'].map((name) => join(directory, name)) as [string, string];
  await writeFile(one, '1'.repeat(300_000));
  await writeFile(other, '');
  const alone = await write('--file', `a/b=${one}`, '--mode', '0400');
  assert.deepEqual(alone, { exitCode: 0, stdout: 'projection/web configured\n', stderr: '' });
  assert.equal((await write('--file', 'c=-')).exitCode, 0);
  assert.equal((await write('--file', `d=${one}`, '--file', `e=${other}`)).exitCode, 0);
  assert.deepEqual(
    operations.calls.map(({ name, arguments: given }) => [name, ...given]),
    [
      ['writeFile', 'web', { path: 'a/b', mode: 0o400 }],
      ['writeFile', 'web', { path: 'c' }],
      [
        'writeFiles',
        'web',
        [
          { path: 'd', sizeBytes: 300_000 },
          { path: 'e', sizeBytes: 0 },
        ],
      ],
    ],
  );
  const sizes = [...operations.contents].map(([path, content]) => [path, content.length]);
  assert.deepEqual(sizes, [
    ['a/b', 300_000],
    ['c', 5],
    ['d', 300_000],
    ['e', 0],
  ]);
});

test('wrong ways to name files say what is wanted, and nothing is sent', async (context) => {
  const { socketPath, operations, directory } = await serveFake(context);
  const wrong: readonly (readonly [words: readonly string[], exitCode: number, message: RegExp])[] = [
    [[], 2, /exactly one of --payload and --file/],
    [['--payload', '-', '--file', 'a=-'], 2, /exactly one of --payload and --file/],
    [['--payload', '-', '--mode', '0400'], 2, /--mode is for --file/],
    [['--file', 'a'], 2, /is not PATH=LOCALFILE/],
    [['--file', 'a=-', '--mode', '999'], 2, /is not a mode/],
    [['--file', 'a=-', '--file', 'b=-'], 2, /standard input is no regular file/],
    [['--file', `a=${directory}`, '--file', `b=${directory}`], 2, /is no regular file/],
    [['--file', 'a=/no/such/file', '--file', 'b=/no/such/file'], 4, /cannot read \/no\/such\/file/],
  ];
  for (const [words, exitCode, message] of wrong) {
    const ran = await dunnage(['projection', 'write', 'web', ...words, '--socket', socketPath], { input: '' });
    assert.equal(ran.exitCode, exitCode, ran.stderr);
    assert.match(ran.stderr, message);
  }
  assert.deepEqual(operations.calls, []);
});

test('a local file that cannot be read fails the upload with its own reason', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  const ran = await dunnage(['projection', 'write', 'web', '--file', 'a=/no/such/file', '--socket', socketPath]);
  assert.deepEqual([ran.exitCode, ran.stdout], [4, '']);
  assert.match(ran.stderr, /cannot read \/no\/such\/file/);
  assert.equal(operations.contents.size, 0);
});
