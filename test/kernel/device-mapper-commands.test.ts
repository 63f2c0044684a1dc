/** `dunnage pool` with the driver devicemapper, and what `doctor` says where that works. */
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parse } from 'yaml';
import { dunnage, type Ran } from '../cli/run-dunnage.ts';
import { DaemonProcess } from '../tools/daemon-process.ts';
import { skipUnlessDeviceMapper } from './helpers/device-mapper-subject.ts';

describe('pools of the device-mapper on the command line', { skip: skipUnlessDeviceMapper() }, () => {
  let daemon: DaemonProcess;
  const command = (...words: string[]): Promise<Ran> =>
    dunnage([...words, '--socket', join(daemon.runtimeDir, 'dunnage.sock')]);
  before(async () => {
    daemon = await DaemonProcess.start(tmpdir());
  });
  after(() => daemon.stop());

  it('doctor finds device-mapper and its tools', async () => {
    const { stdout } = await command('doctor', '--json');
    const { checks } = JSON.parse(stdout) as { checks: { name: string; verdict: string }[] };
    for (const name of ['loop devices', 'device-mapper', 'thin-provisioning-tools']) {
      assert.equal(checks.find((check) => check.name === name)?.verdict, 'ok', name);
    }
  });

  it('--size makes two files, and --when-full and --low-water-mark are kept', async () => {
    const words = ['--driver', 'devicemapper', '--size', '64MiB', '--device-size', '16m'];
    const ran = await command('pool', 'create', 'dev', ...words, '--when-full', 'error', '--low-water-mark', '4MiB');
    assert.deepEqual([ran.exitCode, ran.stdout], [0, 'pool/dev created\n'], ran.stderr);
    const { spec } = parse((await command('get', 'pool/dev', '-o', 'yaml')).stdout);
    assert.deepEqual(
      [spec.dataFile, spec.whenFull, spec.lowWaterMark, spec.deviceSize],
      [{ size: '64MiB' }, 'error', '4MiB', '16MiB'],
    );
  });

  it('status shows data and metadata in use, and devices', async () => {
    await daemon.client.pools.putPoolDevice('dev', 'web', {});
    const { stdout } = await command('pool', 'status', 'dev');
    assert.match(stdout, /^Metadata: +\d+ KiB of 2 MiB \(\d+%\)$/m);
    assert.match(stdout, /^Promised: +16 MiB of [\d.]+ MiB, every device can fill up$/m);
    assert.match(stdout, /^web +1 +Activated +16 MiB /m);
  });

  it('check looks at it, and delete --force takes it away', async () => {
    const check = await command('pool', 'check', 'dev');
    assert.deepEqual([check.exitCode, check.stderr], [0, ''], check.stdout);
    assert.equal((await command('pool', 'delete', 'dev')).exitCode, 5);
    const deleted = await command('pool', 'delete', 'dev', '--force');
    assert.equal(deleted.stdout, 'pool/dev deleted with 1 device: web\n', deleted.stderr);
  });
});
