/** `dunnage pool` as people type it, against a real daemon: a pool in a file, from its making to its end. */
import assert from 'node:assert/strict';
import { type FileHandle, open, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parse } from 'yaml';
import type { PoolStatusDoc } from '../../src/server/pool-operations.ts';
import { dunnage, type Ran } from '../cli/run-dunnage.ts';
import { DaemonProcess } from '../tools/daemon-process.ts';
import { ScratchFileSystem, skipUnlessScratch } from '../tools/scratch-file-system.ts';
import { mountTestsSkip, run } from './helpers/run.ts';

const MIB = 1024 ** 2;
const skip = mountTestsSkip() ?? skipUnlessScratch('xfs');

describe('thin pools on the command line', { timeout: 120_000, ...(skip === false ? {} : { skip }) }, () => {
  let daemon: DaemonProcess;
  const command = (...words: string[]): Promise<Ran> =>
    dunnage([...words, '--socket', join(daemon.runtimeDir, 'dunnage.sock')]);
  const status = async (): Promise<PoolStatusDoc> =>
    JSON.parse((await command('pool', 'status', 'dev', '--json')).stdout) as PoolStatusDoc;
  const device = (name: string): string => join(daemon.runtimeDir, 'dev', `dev-${name}`);

  before(async () => {
    daemon = await DaemonProcess.start(tmpdir());
  });
  after(() => daemon.stop());

  it('create makes a pool in a file, and warns that it is for development', async () => {
    const ran = await command('pool', 'create', 'dev', '--size', '512MiB', '--device-size', '64MiB');
    assert.deepEqual([ran.exitCode, ran.stdout], [0, 'pool/dev created\n'], ran.stderr);
    assert.match(ran.stderr, /^warning: .*dev.*development/);
    const file = await stat(join(daemon.stateDir, 'pools/dev.img'));
    assert.deepEqual([file.size, file.blocks * 512 >= 512 * MIB], [512 * MIB, true]);
  });

  it('list and status show it, and the manifest can be applied again', async () => {
    assert.match((await command('pool', 'list')).stdout, /^NAME .*\ndev +reflink +ready +[\d.]+ MiB +[\d.]+ MiB /);
    const { state, data, promisedBytes, devices, overcommit } = await status();
    assert.deepEqual([state, promisedBytes, devices, overcommit.allowed], ['ready', 0, [], false]);
    assert.ok(data.totalBytes > 400 * MIB && data.usedBytes < 100 * MIB);
    assert.match((await command('status')).stdout, /^Pools: +1$/m);
    const { stdout } = await command('get', 'pool', 'dev', '-o', 'yaml');
    assert.equal(parse(stdout).spec.deviceSize, '64MiB');
    const file = join(daemon.folder, 'again.yaml');
    await writeFile(file, stdout);
    assert.equal((await command('apply', '-f', file)).stdout, 'pool/dev unchanged\n');
  });

  it('devices are shown with own and shared bytes, and promised against what there is', async () => {
    const { pools } = daemon.client;
    const web = await pools.putPoolDevice('dev', 'web', {});
    assert.deepEqual([web.sizeBytes, web.active, web.path], [64 * MIB, true, device('web')]);
    const written = await open(device('web'), 'r+');
    await written.write(Buffer.alloc(8 * MIB, 1), 0, 8 * MIB, 0);
    await written.sync();
    await written.close();
    await pools.putPoolDevice('dev', 'before', { snapshotOf: 'web' });
    const { stdout } = await command('pool', 'status', 'dev');
    assert.match(stdout, /^Promised: +128 MiB of [\d.]+ MiB, every device can fill up$/m);
    assert.match(stdout, /^web +\d+ +Activated +64 MiB +0 B +8 MiB +- +\/.*dev-web$/m);
    assert.match(stdout, /^before +\d+ +Activated +64 MiB +0 B +8 MiB +web +\/.*dev-before$/m);
  });

  it('what would promise more than there is is refused, and says what to do', async () => {
    const sizeBytes = 512 * MIB;
    await assert.rejects(daemon.client.pools.putPoolDevice('dev', 'large', { sizeBytes }), {
      code: 'NO_SPACE',
      remedy: /overcommit/,
    });
    assert.deepEqual((await status()).devices.map(({ name }) => name).toSorted(), ['before', 'web']);
  });

  it('check finds nothing wrong, and repair nothing to mend', async () => {
    for (const [word, exitCode] of [
      ['check', 0],
      ['repair', 0],
    ] as const) {
      const ran = await command('pool', word, 'dev');
      assert.deepEqual([ran.exitCode, ran.stderr], [exitCode, ''], ran.stdout);
      assert.match(ran.stdout, /^pool\/dev \(reflink\): nothing is wrong\.$/m);
    }
  });

  it('a second one of the name, one without XFS and one that is too small are refused with what to do', async () => {
    const again = await command('pool', 'create', 'dev', '--size', '512MiB');
    assert.deepEqual([again.exitCode, again.stderr.includes('dev')], [5, true]);
    const scratch = new ScratchFileSystem('ext4', 16);
    try {
      const wrong = await command('pool', 'create', 'other', '--directory', scratch.path);
      assert.equal(wrong.exitCode, 2, wrong.stderr);
      assert.match(wrong.stderr, /cannot share blocks[\s\S]*mkfs\.xfs/);
    } finally {
      scratch.close();
    }
    const small = await command('pool', 'create', 'other', '--size', '1MiB');
    assert.deepEqual([small.exitCode, /300 MiB/.test(small.stderr)], [2, true], small.stderr);
    assert.equal((await command('pool', 'status', 'other')).exitCode, 4);
  });

  it('a larger size in its manifest makes it larger, in use; a smaller one is refused', async () => {
    const before = await status();
    const { stdout } = await command('get', 'pool', 'dev', '-o', 'yaml');
    const file = join(daemon.folder, 'larger.yaml');
    await writeFile(file, stdout.replace('512MiB', '640MiB'));
    assert.equal((await command('apply', '-f', file)).stdout, 'pool/dev configured\n');
    assert.ok((await status()).data.totalBytes >= before.data.totalBytes + 100 * MIB);
    await writeFile(file, stdout);
    const smaller = await command('apply', '-f', file);
    assert.deepEqual([smaller.exitCode, /cannot become smaller/.test(smaller.stderr)], [5, true], smaller.stderr);
  });

  it('a pool with devices is not deleted without --force, nor one that is in use with it', async () => {
    const refused = await command('pool', 'delete', 'dev');
    assert.equal(refused.exitCode, 5);
    assert.match(refused.stderr, /before, web|web, before/);
    assert.match(refused.stderr, /--force/);
    let user: FileHandle | undefined;
    try {
      user = await open(device('web'), 'r');
      const busy = await command('pool', 'delete', 'dev', '--force');
      assert.equal(busy.exitCode, 5, busy.stdout);
      assert.match(busy.stderr, new RegExp(`pid ${process.pid}`));
    } finally {
      await user?.close();
    }
    assert.deepEqual(
      (await status()).devices.map(({ active }) => active),
      [true, true],
    );
  });

  it('delete --force leaves nothing', async () => {
    const ran = await command('pool', 'delete', 'dev', '--force');
    assert.equal(ran.exitCode, 0, ran.stderr);
    assert.match(ran.stdout, /^pool\/dev deleted with 2 devices: /);
    await assert.rejects(stat(join(daemon.stateDir, 'pools/dev.img')), { code: 'ENOENT' });
    assert.doesNotMatch(await readFile('/proc/self/mountinfo', 'utf8'), new RegExp(`${daemon.runtimeDir}/pools`));
    assert.doesNotMatch(await run('losetup', ['--list']), new RegExp(daemon.folder));
    assert.equal((await command('pool', 'list')).stderr, 'there are no pools\n');
  });
});
