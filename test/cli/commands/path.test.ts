import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exampleConfigMap, exampleSecret } from '../../server/fake-operations.ts';
import { serveFake } from '../../server/serve-fake.ts';
import { dunnage, type Ran } from '../run-dunnage.ts';

const DIRECTORY = '/run/dunnage/mnt/projections/secret.db';

test('path prints where the object and its files are', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  operations.objects.push(exampleSecret(), exampleConfigMap());
  const path = async (...words: string[]): Promise<string> =>
    (await dunnage(['path', ...words, '--socket', socketPath])).stdout;
  assert.equal(await path('secret/db'), `${DIRECTORY}\n`);
  assert.equal(await path('secret', 'db', '--file', 'password'), `${DIRECTORY}/password\n`);
  assert.equal(await path('secret/db', '--file', 'tls'), `${DIRECTORY}/tls\n`);
  assert.equal(await path('cm/web', '-n', 'prod'), '/run/dunnage/mnt/projections/prod.configmap.web\n');
});

test('path prints the line for a container, and its parts as JSON', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  operations.objects.push(exampleSecret());
  const docker = await dunnage(['path', 'secret/db', '--docker', '--target', '/etc/db', '--socket', socketPath]);
  const line = `--mount type=bind,src=${DIRECTORY},dst=/etc/db,readonly,bind-propagation=rslave`;
  assert.deepEqual(docker, { exitCode: 0, stdout: `${line}\n`, stderr: '' });
  const json = await dunnage([
    'path',
    'secret/db',
    '--docker',
    '--target',
    '/etc/db',
    '--json',
    '--socket',
    socketPath,
  ]);
  assert.deepEqual(JSON.parse(json.stdout), { path: DIRECTORY, runtime: 'docker', line });
});

test('a single file for a container comes with the warning that it does not follow changes', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  operations.objects.push(exampleSecret());
  const ran = await dunnage(['path', 'secret/db', '--file', 'password', '--podman', '--socket', socketPath]);
  assert.equal(ran.stdout, `-v ${DIRECTORY}/password:/CHANGE/ME:ro,rslave\n`);
  assert.match(ran.stderr, /^note: .* mount the whole object/);
});

test('what does not exist has no path, and options that contradict each other are refused', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  operations.objects.push(exampleSecret());
  const path = (...words: string[]): Promise<Ran> => dunnage(['path', ...words, '--socket', socketPath]);
  assert.equal((await path('secret/other')).exitCode, 4);
  const file = await path('secret/db', '--file', 'pasword');
  assert.deepEqual([file.exitCode, file.stdout], [4, '']);
  assert.match(file.stderr, /has no file "pasword"\n {2}did you mean password\?/);
  assert.equal((await path('secret/db', '--file', '../other')).exitCode, 4);
  assert.match((await path('secret/db', '--docker', '--k8s')).stderr, /cannot be used with/);
  assert.equal((await path('secret/db', '--target', '/x')).exitCode, 2);
  assert.equal((await path('secret/db', '--docker', '--target', 'x')).exitCode, 2);
});
