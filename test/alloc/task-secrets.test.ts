/** Memory of tasks: real tmpfs. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { tmpfsSizeBytes } from '../../src/mounts/agent-mounts.ts';
import { loadNative } from '../../src/native/load.ts';
import { allocScene, look, mountAt, needsRoot } from './helpers/scene.ts';
import { withoutRoot } from './helpers/without-root.ts';

const NONE = { isolation: 'none' } as const;
const MIB = 1024 * 1024;

test(
  '[S151] [RootSecretDir] secrets are a tmpfs of 1 MiB; again it is kept; removed it is gone, also twice',
  needsRoot,
  async (context) => {
    const { allocDir } = await allocScene(context);
    const task = allocDir.newTaskDir('web');
    await task.build(NONE);
    const row = await mountAt(task.secretsDir);
    assert.equal(row?.type, 'tmpfs');
    assert.equal(tmpfsSizeBytes(row), MIB);
    for (const option of ['noexec', 'nodev', 'nosuid']) assert.ok(row.options.includes(option), option);
    writeFileSync(join(task.secretsDir, 'key'), 'secret');
    await task.build(NONE);
    assert.equal(readFileSync(join(task.secretsDir, 'key'), 'utf8'), 'secret');
    await allocDir.unmountAll();
    assert.equal(await mountAt(task.secretsDir), undefined);
    assert.equal(await mountAt(task.privateDir), undefined);
    await allocDir.unmountAll();
  },
);

test("the size of secrets is the task's; it may change while they are mounted", needsRoot, async (context) => {
  const { allocDir } = await allocScene(context);
  await allocDir.newTaskDir('web', { secretsBytes: 3 * MIB }).build(NONE);
  const task = allocDir.newTaskDir('web', { secretsBytes: 5 * MIB });
  writeFileSync(join(task.secretsDir, 'key'), 'secret');
  await task.build(NONE);
  assert.equal(tmpfsSizeBytes((await mountAt(task.secretsDir)) as never), 5 * MIB);
  assert.equal(readFileSync(join(task.secretsDir, 'key'), 'utf8'), 'secret');
  for (const secretsBytes of [0, -1, 1.5, Number.NaN]) {
    assert.throws(() => allocDir.newTaskDir('web', { secretsBytes }), { code: 'INVALID_ARGUMENT' });
  }
});

test('the private directory is memory of 1 MiB outside of the tree', needsRoot, async (context) => {
  const { allocDir, directory } = await allocScene(context);
  const task = allocDir.newTaskDir('web', { secretsBytes: 4 * MIB });
  await task.build(NONE);
  assert.ok(task.privateDir.startsWith(`${directory.runtimePath}/`));
  const row = await mountAt(task.privateDir);
  assert.deepEqual([row?.type, tmpfsSizeBytes(row as never)], ['tmpfs', MIB]);
  assert.match(look(task.privateDir), /^700 /);
  assert.equal(readdirSync(task.dir).includes('private'), false);
});

test(
  '[S153] [RemountsAfterUnmount] what was unmounted behind our back is mounted again, with its size',
  needsRoot,
  async (context) => {
    const { allocDir, directory } = await allocScene(context);
    const task = allocDir.newTaskDir('web', { secretsBytes: 2 * MIB });
    await task.build(NONE);
    loadNative().unmount(task.secretsDir, false);
    writeFileSync(join(directory.runtimePath, 'secrets', allocDir.id, 'web', 'key'), 'kept');
    await task.restore(NONE);
    assert.equal(readFileSync(join(task.secretsDir, 'key'), 'utf8'), 'kept', 'only the bind was gone');
    for (const path of [task.secretsDir, join(directory.runtimePath, 'secrets', allocDir.id, 'web'), task.privateDir]) {
      loadNative().unmount(path, false);
    }
    await task.restore(NONE);
    assert.equal((await mountAt(task.secretsDir))?.type, 'tmpfs');
    assert.equal(tmpfsSizeBytes((await mountAt(task.secretsDir)) as never), 2 * MIB);
    assert.equal((await mountAt(task.privateDir))?.type, 'tmpfs');
  },
);

test('a bind of memory that is gone is replaced by one of the new memory', needsRoot, async (context) => {
  const { allocDir, directory } = await allocScene(context);
  const task = allocDir.newTaskDir('web');
  await task.build(NONE);
  const before = (await mountAt(task.secretsDir))?.deviceId;
  loadNative().unmount(join(directory.runtimePath, 'secrets', allocDir.id, 'web'), false);
  await task.restore(NONE);
  const bound = await mountAt(task.secretsDir);
  assert.notEqual(bound?.deviceId, before);
  assert.equal(bound?.deviceId, (await mountAt(join(directory.runtimePath, 'secrets', allocDir.id, 'web')))?.deviceId);
});

test('[S152] beneath the mount there is nothing that others could write to', needsRoot, async (context) => {
  const { allocDir } = await allocScene(context);
  const task = allocDir.newTaskDir('web');
  await task.build(NONE);
  await allocDir.unmountAll();
  assert.equal(look(task.secretsDir), '0 0:0');
  assert.deepEqual(readdirSync(task.secretsDir), []);
});

test('secrets that lie on the disk are an error, not covered', needsRoot, async (context) => {
  const { allocDir } = await allocScene(context);
  const task = allocDir.newTaskDir('web');
  mkdirSync(task.secretsDir, { recursive: true });
  writeFileSync(join(task.secretsDir, 'key'), 'on disk');
  await assert.rejects(task.build(NONE), { code: 'NOT_EMPTY' });
  assert.equal(readFileSync(join(task.secretsDir, 'key'), 'utf8'), 'on disk');
  rmSync(join(task.secretsDir, 'key'));
  await task.build(NONE);
});

test('secrets belong to the user of the task and are closed to others if there is one', needsRoot, async (context) => {
  const { allocDir } = await allocScene(context);
  const task = allocDir.newTaskDir('web');
  await task.build({ ...NONE, user: { uid: 1234, gid: 4321 } });
  assert.equal(look(task.secretsDir), '700 1234:4321');
  assert.equal(look(task.localDir), '777 1234:4321');
  assert.equal(statSync(task.dir).uid, 1234);
  await task.build({ ...NONE, user: { uid: 77, gid: 78 } });
  assert.deepEqual(
    [look(task.secretsDir), look(task.privateDir), look(task.dir)],
    ['700 77:78', '700 77:78', '777 77:78'],
  );
});

test('[S151] [UnprivilegedSecretDir] without the right to mount secrets are refused, unless the task allows the disk', async () => {
  const { refused, madeByRefused, modes, secret, read, isGone } = await withoutRoot();
  assert.equal(refused.code, 'PERMISSION_DENIED');
  assert.match(refused.message, /the secrets of task "memory" cannot be kept in memory/);
  assert.match(refused.remedy, /secretsOnDisk/);
  assert.equal(madeByRefused, false, 'nothing is left half-made');
  assert.ok(modes.includes('web/secrets 777'));
  assert.equal(secret, 'kept');
  assert.equal(read.message, 'Reading secret file prohibited: web/secrets/key');
  assert.equal(isGone, true);
});
