/** Pools that become larger under their users: a file made longer, a block device that has grown. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import {
  closeSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  readSync,
  realpathSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { findMount } from '../../src/mounts/mount-table.ts';
import type { PoolPlace } from '../../src/thinpool/reflink/pool-place.ts';
import { ReflinkDriver, type ReflinkOptions } from '../../src/thinpool/reflink/reflink-driver.ts';
import { detachBelow } from '../thinpool/helpers/reflink-subject.ts';
import { formatFile, ScratchFileSystem, skipUnlessScratch } from '../tools/scratch-file-system.ts';
import { BLOCK_BYTES, blockOf } from './helpers/numbered-blocks.ts';

const MEBIBYTE = 1024 * 1024;
const BEFORE = 320 * MEBIBYTE;
const AFTER = 480 * MEBIBYTE;
const BLOCKS = 32;

describe('a pool that becomes larger', { skip: skipUnlessScratch('xfs') }, () => {
  let folder: string;
  let options: ReflinkOptions;
  let driver: ReflinkDriver | undefined;
  let loop: string | undefined;
  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'dunnage-grow-')));
  });
  afterEach(async () => {
    await detachBelow(join(folder, 'run/pools'));
    await driver?.destroy().catch(() => undefined);
    await driver?.close();
    driver = undefined;
    const mounted = join(folder, 'run/pools/p/fs');
    if ((await findMount(mounted)) !== undefined) execFileSync('umount', [mounted]);
    if (loop !== undefined) execFileSync('losetup', ['--detach', loop]);
    loop = undefined;
    rmSync(folder, { recursive: true, force: true });
  });

  /** With a device that is in use. */
  async function openPool(place: PoolPlace, sizeBytes?: number): Promise<{ pool: ReflinkDriver; user: number }> {
    options = {
      poolName: 'p',
      place,
      runtimeDir: join(folder, 'run'),
      log: silentLog,
      guard: { highWaterPercent: 60 },
    };
    await ReflinkDriver.create(options, sizeBytes);
    driver = new ReflinkDriver(options);
    await driver.open();
    await driver.createThin(1);
    await driver.activate('a', 1, 256 * MEBIBYTE);
    const user = openSync(driver.path('a'), 'r+');
    fill(user, 0);
    return { pool: driver, user };
  }

  function fill(device: number, first: number): void {
    for (let block = first; block < first + BLOCKS; block += 1) {
      writeSync(device, blockOf(1, block), 0, BLOCK_BYTES, block * BLOCK_BYTES);
    }
    fsyncSync(device);
  }

  function assertHas(device: number, blocks: number): void {
    const content = Buffer.alloc(BLOCK_BYTES);
    for (let block = 0; block < blocks; block += 1) {
      readSync(device, content, 0, BLOCK_BYTES, block * BLOCK_BYTES);
      assert.ok(content.equals(blockOf(1, block)), `block ${block}`);
    }
  }

  async function assertHasGrown(pool: ReflinkDriver, user: number, grow: () => Promise<void>): Promise<void> {
    const before = await pool.status();
    await grow();
    const after = await pool.status();
    assert.ok(after.dataTotalBytes >= before.dataTotalBytes + 0.9 * (AFTER - BEFORE), JSON.stringify(after));
    const morePromisable = after.promisableBytes - before.promisableBytes;
    // The part that the file system needs for itself grows too.
    assert.ok(morePromisable > 0.8 * (AFTER - BEFORE) && morePromisable < AFTER - BEFORE, String(morePromisable));
    fill(user, BLOCKS);
    assertHas(user, 2 * BLOCKS);
    closeSync(user);
    await grow();
    assert.deepEqual((await pool.status()).dataTotalBytes, after.dataTotalBytes);
  }

  it('in a file: under its users, once, and never smaller', async () => {
    const place = { kind: 'file', path: join(folder, 'pool') } as const;
    const { pool, user } = await openPool(place, BEFORE);
    await assertHasGrown(pool, user, () => pool.grow({ dataBytes: AFTER }));
    assert.ok(statSync(place.path).blocks * 512 >= AFTER * 0.99);
    await assert.rejects(pool.grow({ dataBytes: BEFORE }), { code: 'INVALID_ARGUMENT' });
    await pool.grow({});
  });

  it('on a block device: what is new is taken in', async () => {
    const image = join(folder, 'image');
    formatFile('xfs', image, BEFORE);
    loop = execFileSync('losetup', ['--find', '--show', image], { encoding: 'utf8' }).trim();
    execFileSync('wipefs', ['--all', loop], { stdio: 'ignore' });
    const { pool, user } = await openPool({ kind: 'device', path: loop });
    await assertHasGrown(pool, user, async () => {
      truncateSync(image, AFTER);
      execFileSync('losetup', ['--set-capacity', loop ?? '']);
      await pool.grow({});
    });
    await assert.rejects(pool.grow({ dataBytes: 2 * AFTER }), { code: 'INVALID_ARGUMENT' });
  });

  it('of which writers wait: they go on', async () => {
    const place = { kind: 'file', path: join(folder, 'pool') } as const;
    const { pool, user } = await openPool(place, BEFORE);
    const changes = new EventEmitter();
    const stop = await pool.watch(() => void changes.emit('change'));
    const changed = (): Promise<unknown> => once(changes, 'change');
    const stopped = changed();
    const words = ['if=/dev/zero', `of=${pool.path('a')}`, 'bs=1M', 'seek=16', 'oflag=direct', 'conv=notrunc'];
    // Not from this process: it would wait, and could not make room.
    const writer = spawn('dd', words, { stdio: 'ignore' });
    const ended = once(writer, 'close');
    await stopped;
    assert.equal((await pool.status()).areWritersStopped, true);
    const resumed = changed();
    await pool.grow({ dataBytes: AFTER });
    await resumed;
    assert.equal((await pool.status()).areWritersStopped, false);
    writer.kill('SIGKILL');
    await ended;
    assertHas(user, BLOCKS);
    closeSync(user);
    stop?.();
  });

  it('in a directory: with the file system it is on', async () => {
    const scratch = new ScratchFileSystem('xfs');
    try {
      options = {
        poolName: 'p',
        place: { kind: 'directory', path: scratch.path },
        runtimeDir: join(folder, 'run'),
        log: silentLog,
      };
      await ReflinkDriver.create(options);
      driver = new ReflinkDriver(options);
      await driver.open();
      await driver.grow({});
      await assert.rejects(driver.grow({ dataBytes: AFTER }), { code: 'INVALID_ARGUMENT' });
      await driver.close();
    } finally {
      scratch.close();
    }
  });
});
