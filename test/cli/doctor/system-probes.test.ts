import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemProbes } from '../../../src/cli/doctor/system-probes.ts';
import { exampleStatus } from '../../server/fake-operations.ts';
import { makeDirectory, serveFake } from '../../server/serve-fake.ts';

const probes = systemProbes();

test('programs, files and devices are found or not', async (context) => {
  const directory = await makeDirectory(context);
  await writeFile(join(directory, 'file'), 'text');
  assert.match((await probes.findProgram('sh')) ?? '', /\/sh$/);
  assert.equal(await probes.findProgram('no-such-program'), undefined);
  assert.equal(await probes.readFile(join(directory, 'file')), 'text');
  assert.equal(await probes.readFile(join(directory, 'missing')), undefined);
  assert.equal(await probes.openDevice('/dev/null'), undefined);
  assert.equal(await probes.openDevice(join(directory, 'missing')), 'ENOENT');
  assert.equal(typeof (await probes.hasSysAdmin()), 'boolean');
});

test('a path that does not exist yet is judged by the directory it would be made in', async (context) => {
  const directory = await makeDirectory(context);
  await mkdir(join(directory, 'locked'));
  await writeFile(join(directory, 'file'), '');
  assert.deepEqual(await probes.writability(join(directory, 'a/b')), { existing: directory, writable: true });
  assert.deepEqual(await probes.writability(join(directory, 'file/x')), {
    existing: join(directory, 'file'),
    writable: false,
  });
  await chmod(join(directory, 'locked'), 0o500);
  if (probes.userId !== 0) assert.equal((await probes.writability(join(directory, 'locked'))).writable, false);
});

test('a tmpfs is memory, a disk is not', async () => {
  assert.equal(await probes.isInMemory('/dev/shm/not-there'), true);
  assert.equal(await probes.isInMemory('/proc/x'), false);
  assert.ok((await probes.mounts()).some(({ mountPoint }) => mountPoint === '/'));
});

test('the daemon is live, not there, or a problem', async (context) => {
  const { socketPath, directory, operations } = await serveFake(context);
  assert.deepEqual(await probes.daemon(socketPath), { kind: 'live', status: exampleStatus() });
  assert.deepEqual(await probes.daemon(join(directory, 'missing.sock')), { kind: 'none' });
  operations.failure = new Error('a bug');
  assert.equal((await probes.daemon(socketPath)).kind, 'problem');
  assert.equal(await probes.holder(join(directory, 'missing.sock')), 'none');
});
