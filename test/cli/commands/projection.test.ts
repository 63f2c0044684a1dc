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
