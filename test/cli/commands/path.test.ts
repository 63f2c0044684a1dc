import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exampleConfigMap, exampleSecret, exampleStatus } from '../../server/fake-operations.ts';
import { serveFake } from '../../server/serve-fake.ts';
import { dunnage, type Ran } from '../run-dunnage.ts';

const DIRECTORY = '/run/dunnage/mnt/projections/secret.db';
const LIVE = '/run/dunnage/mnt/live/secret.db';

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

test('what is below an object comes from the live view, if it is for a container', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  operations.objects.push(exampleSecret());
  const path = (...words: string[]): Promise<Ran> => dunnage(['path', 'secret/db', ...words, '--socket', socketPath]);
  assert.deepEqual(await path('--file', 'password', '--podman', '--target', '/etc/pw'), {
    exitCode: 0,
    stdout: `-v ${LIVE}/password:/etc/pw:ro,rslave\n`,
    stderr: '',
  });
  assert.match(
    (await path('--file', 'password', '--k8s')).stdout,
    /path: ".*\/live\/secret\.db\/password"\n.*type: File\n/,
  );
  assert.match((await path('--file', 'tls', '--k8s')).stdout, /path: ".*\/live\/secret\.db\/tls"\n.*type: Directory\n/);
  assert.equal((await path('--live')).stdout, `${LIVE}\n`);
  assert.equal((await path('--live', '--file', 'password')).stdout, `${LIVE}/password\n`);
  assert.equal((await path('--live', '--systemd', '--target', '/x')).stdout, `BindReadOnlyPaths=${LIVE}:/x\n`);
});

test('without a live view a single file comes with the warning that it does not follow changes', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  operations.objects.push(exampleSecret());
  const status = exampleStatus();
  const connections = status.connections.filter(({ name }) => name !== 'root');
  operations.status = () => Promise.resolve({ ...status, connections });
  const ran = await dunnage(['path', 'secret/db', '--file', 'password', '--podman', '--socket', socketPath]);
  assert.equal(ran.stdout, `-v ${DIRECTORY}/password:/CHANGE/ME:ro,rslave\n`);
  assert.match(ran.stderr, /^note: .* mount the whole object/);
  const refused = await dunnage(['path', 'secret/db', '--live', '--socket', socketPath]);
  assert.deepEqual([refused.exitCode === 0, refused.stdout], [false, '']);
  assert.match(refused.stderr, /there is no live view/);
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
