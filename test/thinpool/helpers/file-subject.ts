/** The driver of files as a subject of the suites. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DriverSubject } from '../../conformance/thinpool/subject.ts';
import { FileDriver } from './file-driver.ts';

export async function fileSubject(): Promise<DriverSubject> {
  const root = mkdtempSync(join(tmpdir(), 'dunnage-thinpool-'));
  const next = async (): Promise<FileDriver> => {
    const driver = new FileDriver(root);
    await driver.open();
    return driver;
  };
  return {
    driver: await next(),
    reopen: next,
    reboot() {
      FileDriver.forgetKernel(root);
      return next();
    },
    cleanup: async () => rmSync(root, { recursive: true, force: true }),
  };
}
