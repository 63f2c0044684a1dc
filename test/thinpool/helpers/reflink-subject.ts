/** The driver `reflink` as a subject of the suites: each in a folder of its own on a file system that all of them share. */
import { closeSync, mkdirSync, mkdtempSync, openSync, realpathSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../../../src/base/log.ts';
import { loadNative } from '../../../src/native/load.ts';
import { ReflinkDriver, type ReflinkOptions } from '../../../src/thinpool/reflink/reflink-driver.ts';
import type { DriverSubject } from '../../conformance/thinpool/subject.ts';
import type { ScratchFileSystem } from '../../tools/scratch-file-system.ts';

export const POOL_NAME = 'suite';

/**
 * Detaches every loop device whose file lies below the folder, whoever attached it. Other tests have loop devices too, and get numbers that
 * have become free: what a device is attached to stays so only while it is open, and is asked then.
 */
export async function detachBelow(folder: string): Promise<void> {
  const native = loadNative();
  for (const { number, backingFile } of await native.listLoops()) {
    if (!backingFile.startsWith(`${folder}/`)) continue;
    const device = openSync(`/dev/loop${number}`, 'r');
    try {
      const shown = await readFile(`/sys/block/loop${number}/loop/backing_file`, 'utf8').catch(() => '');
      if (shown.startsWith(`${folder}/`)) await native.detachLoop(device, true);
    } finally {
      closeSync(device);
    }
  }
}

export async function reflinkSubject(
  scratch: ScratchFileSystem,
  more: Partial<ReflinkOptions> = {},
): Promise<DriverSubject & { readonly options: ReflinkOptions; readonly driver: ReflinkDriver }> {
  const root = realpathSync(mkdtempSync(join(scratch.path, 'pool-')));
  const runtimeDir = mkdtempSync(join(tmpdir(), 'dunnage-reflink-'));
  const options: ReflinkOptions = {
    poolName: POOL_NAME,
    place: { kind: 'directory', path: root },
    runtimeDir,
    log: silentLog,
    ...more,
  };
  await ReflinkDriver.create(options);
  let driver = new ReflinkDriver(options);
  await driver.open();
  const next = async (): Promise<ReflinkDriver> => {
    await driver.close();
    driver = new ReflinkDriver(options);
    await driver.open();
    return driver;
  };
  return {
    options,
    driver,
    reopen: next,
    async reboot() {
      await driver.close();
      await detachBelow(root);
      rmSync(runtimeDir, { recursive: true });
      mkdirSync(runtimeDir);
      return await next();
    },
    async cleanup() {
      await driver.close();
      await detachBelow(root);
      for (const folder of [root, runtimeDir]) rmSync(folder, { recursive: true, force: true });
    },
  };
}
