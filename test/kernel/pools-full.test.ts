/** Pools of a daemon that fill up: who writes waits, through the death of the daemon, and nothing that was acknowledged is lost. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fillingBelow, spaceMarks } from '../../src/thinpool/space/space-marks.ts';
import type { DaemonProcess } from '../tools/daemon-process.ts';
import { skipUnlessScratch } from '../tools/scratch-file-system.ts';
import { until } from '../tools/until.ts';
import { BLOCK_BYTES } from './helpers/numbered-blocks.ts';
import { poolManifest } from './helpers/pool-daemon.ts';
import { killDaemon, startDaemon } from './helpers/projected.ts';
import { ThinWriter } from './helpers/thin-writers.ts';

const MEBIBYTE = 1024 * 1024;
const DEVICE_BYTES = 48 * MEBIBYTE;
const OVERCOMMITTED = { deviceSize: '48MiB', overcommit: { allowed: true, highWaterMark: '70%' } };

describe('a pool of the daemon that fills up', { skip: skipUnlessScratch('xfs') }, () => {
  let daemon: DaemonProcess;
  before(async () => {
    daemon = await startDaemon();
  });
  afterEach(async () => {
    for (const { name } of await daemon.client.pools.listPools()) await daemon.client.pools.deletePool(name, true);
  });
  after(() => daemon.stop());
  const pools = () => daemon.client.pools;

  async function devices(count: number): Promise<readonly string[]> {
    const paths: string[] = [];
    for (let index = 1; index <= count; index += 1) {
      paths.push((await pools().putPoolDevice('full', `d${index}`, {})).path ?? '');
    }
    return paths;
  }

  async function figure(name: string): Promise<string | undefined> {
    const text = await daemon.client.metrics();
    return new RegExp(`^${name}\\{[^}]*pool="full"[^}]*\\} (.*)$`, 'm').exec(text)?.[1];
  }

  it('[S241] without overcommit every device and every snapshot that was made can be filled', async () => {
    await daemon.client.apply(poolManifest('full', { file: { size: '340MiB' }, deviceSize: '48MiB' }));
    const [first = ''] = await devices(1);
    assert.equal(await new ThinWriter(first, 1, DEVICE_BYTES).end(), 0);
    const paths = [first];
    const failure = await (async () => {
      for (let made = 2; ; made += 1) {
        const wanted = made < 4 ? { snapshotOf: 'd1' } : {};
        paths.push((await pools().putPoolDevice('full', `d${made}`, wanted)).path ?? '');
      }
    })().catch((error: unknown) => error);
    assert.match(String(failure), /cannot be promised/);
    assert.ok(paths.length >= 4, `${paths.length} devices`);
    for (const [index, path] of paths.entries()) {
      const writer = new ThinWriter(path, 10 + index, DEVICE_BYTES);
      assert.equal(await writer.end(), 0, path);
      writer.assertKept();
    }
    assert.equal(await figure('dunnage_pool_writers_stopped'), '0');
    assert.equal(await figure('dunnage_pool_promised_bytes'), String(paths.length * DEVICE_BYTES));
    assert.deepEqual((await pools().checkPool('full')).remaining, []);
  });

  it('[S242] with overcommit writers wait, also while no daemon runs, and go on in a larger pool', async (t) => {
    await daemon.client.apply(poolManifest('full', { file: { size: '320MiB' }, ...OVERCOMMITTED }));
    const paths = await devices(6);
    const writers = paths.map((path, index) => new ThinWriter(path, index + 1, DEVICE_BYTES));
    t.after(async () => {
      await pools()
        .deletePool('full', true)
        .catch(() => undefined);
      await Promise.all(writers.map((writer) => writer.kill()));
    });
    const stopped = await until('writers wait', async () => {
      const status = await pools().poolStatus('full');
      return status.writersStopped ? status : undefined;
    });
    assert.match(stopped.warnings.join(), /waits until there is room/);
    assert.equal(await figure('dunnage_pool_writers_stopped'), '1');
    await assert.rejects(pools().putPoolDevice('full', 'more', {}), { code: 'NO_SPACE' });
    const waiting = await quiet(writers);
    const waits = writers.findIndex(({ isRunning }) => isRunning);
    for (let tries = 0; tries < 5; tries += 1) {
      await assert.rejects(pools().deletePoolDevice('full', `d${waits + 1}`), { code: 'BUSY', message: /open by pid/ });
    }
    await assert.rejects(pools().deletePool('full', true), { code: 'BUSY' });
    assert.equal(await quiet(writers), waiting, 'nobody writes on because somebody wants to remove what is in use');
    await killDaemon(daemon);
    const before = await quiet(writers);
    assert.ok(before < (6 * DEVICE_BYTES) / BLOCK_BYTES && writers.some(({ isRunning }) => isRunning));
    await daemon.up();
    assert.equal((await pools().poolStatus('full')).writersStopped, true);
    // Opened for a moment for what a start does, and no longer.
    const after = await quiet(writers);
    assert.ok((after - before) * BLOCK_BYTES < 40 * MEBIBYTE, `${before} blocks before, ${after} after`);
    const [result] = await daemon.client.apply(poolManifest('full', { file: { size: '640MiB' }, ...OVERCOMMITTED }));
    assert.equal(result?.action, 'configured');
    for (const writer of writers) assert.equal(await writer.end(), 0, writer.path);
    for (const writer of writers) writer.assertKept();
    const status = await pools().poolStatus('full');
    assert.deepEqual([status.writersStopped, status.data.totalBytes > 500 * MEBIBYTE], [false, true]);
    assert.equal(await figure('dunnage_pool_writers_stopped'), '0');
  });

  it('has file systems on its devices give back what they do not use before it is full', async () => {
    await daemon.client.apply(
      poolManifest('full', { file: { size: '320MiB' }, ...OVERCOMMITTED, deviceSize: '96MiB' }),
    );
    const [path = '', other = ''] = await devices(2);
    const mounted = join(daemon.folder, 'trimmed');
    mkdirSync(mounted);
    execFileSync('mkfs.ext4', ['-q', '-E', 'nodiscard', path], { stdio: 'ignore' });
    execFileSync('mount', [path, mounted]);
    try {
      const unused = 64 * MEBIBYTE;
      writeFileSync(join(mounted, 'file'), randomBytes(unused), { flush: true });
      rmSync(join(mounted, 'file'));
      execFileSync('sync', ['--file-system', mounted]);
      const { usedBytes: before, totalBytes } = (await pools().poolStatus('full')).data;
      assert.ok(before > unused);
      const written = 72 * MEBIBYTE;
      assert.equal(await new ThinWriter(other, 1, written).end(), 0);
      await until('it is given back', async () => {
        return (await pools().poolStatus('full')).data.usedBytes < before + written - 0.8 * unused;
      });
      // Less what was written meanwhile: at most what comes after the pool counts as filling up.
      const { freezeBelowBytes } = spaceMarks(totalBytes, 70);
      const writtenBefore = totalBytes - before - fillingBelow(totalBytes, freezeBelowBytes);
      const counted = 0.8 * unused - (written - writtenBefore);
      assert.ok(counted > 0, `${writtenBefore} bytes are written before it is given back`);
      await until('it is counted', async () => {
        return Number(await figure('dunnage_pool_trimmed_bytes_total')) > counted;
      });
    } finally {
      execFileSync('umount', [mounted]);
    }
  });
});

/** What is acknowledged when nothing more is. */
async function quiet(writers: readonly ThinWriter[]): Promise<number> {
  const sum = (): number => writers.reduce((total, { acknowledged }) => total + acknowledged, 0);
  for (let before = -1; ; ) {
    const now = sum();
    if (now === before) return now;
    before = now;
    await sleep(300);
  }
}
