import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import { ControlClient } from '../../../src/server/control-client.ts';
import { collect, exampleAlloc, only } from '../fake-operations.ts';
import { ask } from '../raw-request.ts';
import { serveFake } from '../serve-fake.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

test('every operation arrives with its arguments, and its answer comes back whole', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  operations.allocs.push(exampleAlloc());
  const client = new ControlClient(socketPath);
  assert.deepEqual(await client.getAlloc('5f8c'), exampleAlloc());
  const { path: _, ...alloc } = exampleAlloc();
  assert.deepEqual(await client.listAllocs(), [{ ...alloc, tasks: 2 }]);
  assert.deepEqual(await client.moveAlloc('old', 'new'), { from: 'old', to: 'new', tasks: ['web'] });
  operations.deletion = { id: '5f8c', deleted: false, awaiting: ['pid 7 (sh) has it mounted at /local'] };
  assert.deepEqual(await client.deleteAlloc('5f8c'), operations.deletion);
  await client.apply('kind: Alloc', true);
  assert.deepEqual(
    operations.calls.map(({ name, arguments: given }) => [name, ...given]),
    [
      ['getAlloc', '5f8c'],
      ['listAllocs'],
      ['moveAlloc', 'old', 'new'],
      ['deleteAlloc', '5f8c'],
      ['apply', 'kind: Alloc', true],
    ],
  );
});

test('a tar goes through unchanged, both ways', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  const client = new ControlClient(socketPath);
  const tar = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
  const restored = await client.restoreAlloc('a1', only(tar.subarray(0, 7), tar.subarray(7)));
  assert.deepEqual(restored, { id: 'a1', replaced: ['alloc/data', 'web/local'], entries: 2, sizeBytes: tar.length });
  assert.deepEqual(await collect(await client.snapshotAlloc('a1')), tar);
  assert.deepEqual(operations.contents.get('a1'), tar);
});

test('a snapshot that fails in the middle is read to its end, and fails then with the error of the daemon', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  const remedy = 'look at the disk: ü';
  operations.contents.set('a1', Buffer.from('what could be read'));
  operations.snapshotFailure = new DunnageError('IO', 'failed to snapshot web/local: %0a', { remedy });
  const read: Buffer[] = [];
  await assert.rejects(
    async () => {
      for await (const chunk of await new ControlClient(socketPath).snapshotAlloc('a1')) read.push(Buffer.from(chunk));
    },
    { code: 'IO', message: 'failed to snapshot web/local: %0a', remedy },
  );
  assert.equal(Buffer.concat(read).toString(), 'what could be read');
});

test('a snapshot that cannot begin is an ordinary error', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  operations.failure = new DunnageError('BUSY', 'the alloc a1 is being deleted');
  await assert.rejects(new ControlClient(socketPath).snapshotAlloc('a1'), { code: 'BUSY' });
});

test('what is no request of these routes never reaches the daemon', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  const requests = [
    { method: 'POST', path: '/v1/allocs/a/move', headers: JSON_TYPE, body: '{}' },
    { method: 'POST', path: '/v1/allocs/a/move', headers: JSON_TYPE, body: '{"from":"b","to":"c"}' },
    { method: 'PUT', path: '/v1/allocs/a/snapshot', headers: JSON_TYPE, body: '{}' },
    { method: 'POST', path: '/v1/apply?onlyNew=maybe', headers: { 'content-type': 'application/yaml' }, body: 'x' },
    { method: 'GET', path: `/v1/allocs/${'x'.repeat(256)}` },
  ];
  for (const request of requests) assert.equal((await ask(socketPath, request)).status, 400, request.path);
  assert.deepEqual(operations.calls, []);
});
