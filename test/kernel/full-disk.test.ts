/** The disk of the state directory runs full: what is published stays, errors say so, and room that is made is used. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { DunnageError } from '../../src/errors/dunnage-error.ts';
import type { DaemonProcess } from '../tools/daemon-process.ts';
import { projectionRoot, startDaemon, text } from './helpers/projected.ts';
import { run } from './helpers/run.ts';

/** Small enough to fill, large enough for the metadata of some writes. */
const DISK_BYTES = 16 * 1024 * 1024;
const LARGE_BYTES = 2 * 1024 * 1024;

let daemon: DaemonProcess;
beforeEach(async () => {
  daemon = await startDaemon();
  await daemon.dunnage('down');
  await run('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'none', daemon.stateDir]);
  await daemon.up();
});
afterEach(async () => {
  await daemon.dunnage('down');
  await run('umount', [daemon.stateDir]);
  await daemon.stop();
});

/** Takes every byte that is left. */
async function fill(path: string): Promise<void> {
  await assert.rejects(writeFile(path, Buffer.alloc(DISK_BYTES)), { code: 'ENOSPC' });
}

async function outcome(task: Promise<unknown>): Promise<string> {
  try {
    await task;
    return 'ok';
  } catch (error) {
    return (error as DunnageError).code;
  }
}

describe('a full disk', () => {
  it('fails writes with NO_SPACE, keeps what is published, and serves on when there is room again', async () => {
    const { client } = daemon;
    await client.writeProjection('web', text({ key: 'old' }));
    const large = new Map([['data', { data: randomBytes(LARGE_BYTES), mode: 0o644 }]]);
    await client.writeProjection('large', large);
    const filler = join(daemon.stateDir, 'filler');
    await fill(filler);
    for (let round = 0; round < 3; round += 1) {
      const more = new Map([['data', { data: randomBytes(LARGE_BYTES), mode: 0o644 }]]);
      assert.equal(await outcome(client.writeProjection('large', more)), 'NO_SPACE');
      assert.equal(await outcome(client.writeProjection('fresh', more)), 'NO_SPACE');
    }
    assert.equal(await readFile(join(projectionRoot(daemon, 'web'), 'key'), 'utf8'), 'old');
    assert.deepEqual(await readFile(join(projectionRoot(daemon, 'large'), 'data')), large.get('data')?.data);
    await client.status();
    await rm(filler);
    await client.writeProjection('web', text({ key: 'new' }));
    await client.writeProjection('fresh', text({ key: 'fresh' }));
    await client.deleteProjection('Projection', 'default', 'large');
    assert.equal(await readFile(join(projectionRoot(daemon, 'web'), 'key'), 'utf8'), 'new');
    assert.equal(await readFile(join(projectionRoot(daemon, 'fresh'), 'key'), 'utf8'), 'fresh');
  });
});
