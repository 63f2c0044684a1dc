import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAwaited } from '../../src/cli/alloc-deletion.ts';
import { exampleAlloc } from '../server/fake-operations.ts';
import { serveFake } from '../server/serve-fake.ts';
import { dunnage } from './run-dunnage.ts';

const AWAITING = ['pid 7 (sh) has it mounted at /local in its mount namespace'];

test('a deletion that is done, and one that waits and says for whom', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  const done = await dunnage(['delete', 'alloc/5f8c', '--socket', socketPath]);
  assert.deepEqual(done, { exitCode: 0, stdout: 'alloc/5f8c deleted\n', stderr: '' });
  operations.deletion = { id: '5f8c', deleted: false, awaiting: AWAITING };
  const waits = await dunnage(['alloc', 'delete', '5f8c', '--socket', socketPath]);
  assert.deepEqual(waits, {
    exitCode: 0,
    stdout: 'alloc/5f8c is being deleted\n',
    stderr: `alloc/5f8c waits: ${AWAITING[0]}\n`,
  });
  const json = await dunnage(['alloc', 'delete', '5f8c', '--json', '--socket', socketPath]);
  assert.deepEqual([JSON.parse(json.stdout), json.stderr], [operations.deletion, '']);
});

test('--wait returns when it is gone', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  operations.allocs.push(exampleAlloc());
  operations.deletion = { id: '5f8c', deleted: false, awaiting: AWAITING };
  const asked = (): boolean => operations.calls.some(({ name }) => name === 'getAlloc');
  const waiting = dunnage(['alloc', 'delete', '5f8c', '--wait', '--socket', socketPath]);
  let isOver = false;
  void waiting.then(() => {
    isOver = true;
  });
  while (!asked()) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isOver, false);
  operations.allocs.pop();
  assert.deepEqual(await waiting, {
    exitCode: 0,
    stdout: 'alloc/5f8c deleted\n',
    stderr: `alloc/5f8c waits: ${AWAITING[0]}\n`,
  });
});

test('names of processes drive no terminal', () => {
  const line = formatAwaited({ id: 'a', deleted: false, awaiting: ['pid 1 (\u001b[2J) x'] });
  assert.ok(!line.includes('\u001b'));
});
