import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import { ControlClient } from '../../src/server/control-client.ts';
import { MountedProjection } from '../../src/server/mounted-projection.ts';
import type { ApplyAction, WriteFile } from '../../src/server/operations.ts';
import { FakeOperations, only } from './fake-operations.ts';
import { makeDirectory, serveFake } from './serve-fake.ts';

const text = (content: string, mode = 0o644): WriteFile => ({ data: Buffer.from(content), mode });

test('MountedProjection.write hands the daemon the payload with cleaned paths, byte for byte', async (t) => {
  const { socketPath, operations } = await serveFake(t);
  const binary = Uint8Array.from({ length: 256 }, (_, index) => index);
  const result = await new MountedProjection(new ControlClient(socketPath), 'web').write({
    'conf//app.yaml': { ...text('a: 1', 0o600), uid: 1000, gid: 0 },
    './binary': { data: binary, mode: 0o444 },
  });
  assert.deepEqual(result, { changed: true });
  const [call] = operations.calls;
  assert.deepEqual([call?.name, call?.arguments[0]], ['writeProjection', 'web']);
  const files = call?.arguments[1] as ReadonlyMap<string, WriteFile>;
  assert.deepEqual([...files.keys()], ['conf/app.yaml', 'binary']);
  const { data, ...rest } = files.get('conf/app.yaml') as WriteFile;
  assert.equal(Buffer.from(data).toString(), 'a: 1');
  assert.deepEqual(rest, { mode: 0o600, uid: 1000, gid: 0 });
  assert.deepEqual(Buffer.from(files.get('binary')?.data ?? []), Buffer.from(binary));
});

test('MountedProjection.write tells whether readers see something new', async () => {
  const actions: readonly (readonly [ApplyAction, boolean])[] = [
    ['created', true],
    ['configured', true],
    ['unchanged', false],
  ];
  for (const [action, changed] of actions) {
    const client = new ControlClient('/nowhere');
    client.writeProjection = async (name, files) => ({
      ...(await new FakeOperations().writeProjection(name, files)),
      action,
    });
    assert.deepEqual(await new MountedProjection(client, 'web').write(new Map([['a', text('1')]])), { changed });
  }
});

test('MountedProjection.write refuses a wrong payload before the daemon is asked', async (t) => {
  const { socketPath, operations } = await serveFake(t);
  const projection = new MountedProjection(new ControlClient(socketPath), 'web');
  await assert.rejects(projection.write({ '../x': text('1') }), { code: 'INVALID_PATH' });
  await assert.rejects(projection.write({ a: text('1', 0o4755) }), { code: 'INVALID_ARGUMENT' });
  assert.deepEqual(operations.calls, []);
});

test('MountedProjection.write rejects with what the daemon says, and without one with UNREACHABLE', async (t) => {
  const { socketPath, operations } = await serveFake(t);
  operations.failure = new DunnageError('NO_SPACE', 'the disk is full', { remedy: 'free some space' });
  const payload = { a: text('1') };
  await assert.rejects(new MountedProjection(new ControlClient(socketPath), 'web').write(payload), {
    code: 'NO_SPACE',
    message: 'the disk is full',
    remedy: 'free some space',
  });
  const nobody = new ControlClient(join(await makeDirectory(t), 'none.sock'));
  await assert.rejects(new MountedProjection(nobody, 'web').write(payload), { code: 'UNREACHABLE' });
});

test('MountedProjection writes and removes single files, after the writes that were asked for before', async (t) => {
  const { socketPath, operations } = await serveFake(t);
  const web = new MountedProjection(new ControlClient(socketPath), 'web');
  const [written, changed] = await Promise.all([
    web.write({ a: text('1') }),
    web.writeFile('b', only(Buffer.from('2')), { mode: 0o400 }),
    web.removeFile('b'),
  ]);
  assert.deepEqual([written, changed], [{ changed: true }, { changed: true }]);
  assert.deepEqual(
    operations.calls.map(({ name }) => name),
    ['writeProjection', 'writeFile', 'removeFile'],
  );
  assert.deepEqual(operations.calls[1]?.arguments, ['web', { path: 'b', mode: 0o400 }]);
});
