import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import { exampleAlloc } from '../../server/fake-operations.ts';
import { serveFake } from '../../server/serve-fake.ts';
import { dunnage } from '../run-dunnage.ts';

async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'alloc-command-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test('create applies the manifest its options stand for, and only a new one', async (t) => {
  const { socketPath, operations } = await serveFake(t);
  const applied = { kind: 'Alloc', namespace: 'default', name: 'a1', directory: 'a1', action: 'created' } as const;
  operations.applied = [{ ...applied, warnings: ['web/local/db waits: not yet'] }];
  const ran = await dunnage(['alloc', 'create', 'a1', '--task', 'web', '--task', 'log', '--socket', socketPath]);
  assert.deepEqual(ran, {
    exitCode: 0,
    stdout: 'alloc/a1 created\n',
    stderr: 'warning: alloc/a1: web/local/db waits: not yet\n',
  });
  const [call] = operations.calls;
  assert.deepEqual(
    [JSON.parse(String(call?.arguments[0])).spec, call?.arguments[1]],
    [{ tasks: [{ name: 'web' }, { name: 'log' }] }, true],
  );
  assert.equal((await dunnage(['alloc', 'create', 'a1', '--socket', socketPath])).exitCode, 2);
});

test('list, get and move', async (t) => {
  const { socketPath, operations } = await serveFake(t);
  const none = await dunnage(['alloc', 'list', '--socket', socketPath]);
  assert.deepEqual([none.stdout, none.stderr], ['', 'there are no allocs\n']);
  operations.allocs.push(exampleAlloc());
  assert.match((await dunnage(['get', 'allocs', '--socket', socketPath])).stdout, /^5f8c +ready +2 /m);
  assert.match((await dunnage(['get', 'alloc/5f8c', '--socket', socketPath])).stdout, /^web +none/m);
  const json = await dunnage(['get', 'alloc', '5f8c', '--json', '--socket', socketPath]);
  assert.deepEqual(JSON.parse(json.stdout), exampleAlloc());
  const moved = await dunnage(['alloc', 'move', 'old', '5f8c', '--socket', socketPath]);
  assert.equal(moved.stdout, 'moved from alloc/old to alloc/5f8c: alloc/data, web/local\n');
});

test('snapshot writes the file when it is whole, and standard output otherwise', async (t) => {
  const { socketPath, operations } = await serveFake(t);
  const file = join(await makeFolder(t), 'a1.tar');
  operations.contents.set('a1', Buffer.from('tar of a1'));
  const ran = await dunnage(['alloc', 'snapshot', 'a1', '-o', file, '--socket', socketPath]);
  assert.deepEqual([ran.exitCode, ran.stdout, ran.stderr], [0, `${file}: 9 B\n`, '']);
  assert.equal(await readFile(file, 'utf8'), 'tar of a1');
  assert.equal((await dunnage(['alloc', 'snapshot', 'a1', '--socket', socketPath])).stdout, 'tar of a1');
});

test('a snapshot that fails leaves no file, and says why', async (t) => {
  const { socketPath, operations } = await serveFake(t);
  const file = join(await makeFolder(t), 'a1.tar');
  operations.contents.set('a1', Buffer.from('half'));
  operations.snapshotFailure = new DunnageError('IO', 'failed to snapshot web/local');
  const ran = await dunnage(['alloc', 'snapshot', 'a1', '-o', file, '--socket', socketPath]);
  assert.deepEqual([ran.exitCode, ran.stderr], [9, 'dunnage: failed to snapshot web/local\n']);
  for (const path of [file, `${file}.partial`]) await assert.rejects(readFile(path), { code: 'ENOENT' });
});

test('restore reads a file or standard input', async (t) => {
  const { socketPath, operations } = await serveFake(t);
  const file = join(await makeFolder(t), 'a1.tar');
  await writeFile(file, 'from a file');
  const ran = await dunnage(['alloc', 'restore', 'a1', '-i', file, '--socket', socketPath]);
  assert.equal(ran.stdout, 'alloc/a1 restored: 2 entries, 11 B in alloc/data, web/local\n');
  const piped = await dunnage(['alloc', 'restore', 'a2', '--json', '--socket', socketPath], { input: 'piped' });
  assert.equal(JSON.parse(piped.stdout).sizeBytes, 5);
  assert.deepEqual(
    [String(operations.contents.get('a1')), String(operations.contents.get('a2'))],
    ['from a file', 'piped'],
  );
  const missing = await dunnage(['alloc', 'restore', 'a1', '-i', `${file}.none`, '--socket', socketPath]);
  assert.equal(missing.exitCode, 4);
});

test('path of an alloc and of its task; what is only of projections is refused', async (t) => {
  const { socketPath, operations } = await serveFake(t);
  operations.allocs.push(exampleAlloc());
  const path = await dunnage(['path', 'alloc/5f8c', '--task', 'web', '--socket', socketPath]);
  assert.equal(path.stdout, '/run/dunnage/mnt/allocs/5f8c/web\n');
  const lines = await dunnage(['path', 'alloc/5f8c', '--task', 'web', '--docker', '--socket', socketPath]);
  assert.equal(lines.stdout.split('\n').length, 4);
  for (const words of [
    ['path', 'alloc/5f8c', '--file', 'x'],
    ['path', 'secret/db', '--task', 'web'],
    ['projection', 'history', 'alloc/5f8c'],
  ]) {
    assert.equal((await dunnage([...words, '--socket', socketPath])).exitCode, 2, words.join(' '));
  }
});
