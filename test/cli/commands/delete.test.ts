import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exampleConfigMap, exampleSecret } from '../../server/fake-operations.ts';
import { serveFake } from '../../server/serve-fake.ts';
import { dunnage } from '../run-dunnage.ts';

test('delete removes the object of its namespace and says so', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  operations.objects.push(exampleSecret(), exampleConfigMap());
  const one = await dunnage(['delete', 'secret', 'db', '--socket', socketPath]);
  assert.deepEqual(one, { exitCode: 0, stdout: 'secret/db deleted\n', stderr: '' });
  const two = await dunnage(['delete', 'cm/web', '-n', 'prod', '--json', '--socket', socketPath]);
  assert.deepEqual(JSON.parse(two.stdout), { kind: 'ConfigMap', name: 'web', namespace: 'prod', action: 'deleted' });
  assert.deepEqual(operations.objects, []);
});

test('what is in another namespace is not found and stays', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  operations.objects.push(exampleConfigMap());
  assert.equal((await dunnage(['delete', 'configmap', 'web', '--socket', socketPath])).exitCode, 4);
  assert.equal(operations.objects.length, 1);
});

test('a kind without a name deletes nothing', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  const ran = await dunnage(['delete', 'secrets', '--socket', socketPath]);
  assert.deepEqual(
    [ran.exitCode, ran.stderr],
    [2, 'dunnage: the name of the secrets is missing\n  write secrets/NAME\n'],
  );
  assert.deepEqual(operations.calls, []);
});
