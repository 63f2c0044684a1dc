/** A daemon of the command line with one projection, for tests that look at it the way a container does. */
import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileProjection } from '../../../src/projection/payload.ts';
import { DaemonProcess } from '../../tools/daemon-process.ts';
import { untilEnded } from './process-end.ts';

/** State belongs on a real disk, not on tmpfs; the test runner names a folder on one, and looks there for what is left. */
export const TEST_PARENT: string = process.env['TMPDIR'] ?? '/var/tmp';

export async function startDaemon(...upOptions: string[]): Promise<DaemonProcess> {
  return await DaemonProcess.start(TEST_PARENT, { upOptions });
}

export function projectionRoot(daemon: DaemonProcess, name: string): string {
  return join(daemon.mountPoint, 'projections', name);
}

export function text(files: Readonly<Record<string, string>>, mode = 0o644): Map<string, FileProjection> {
  return new Map(Object.entries(files).map(([path, content]) => [path, { data: Buffer.from(content), mode }]));
}

/** Timestamped directories that are listed. */
export async function timestampDirectories(root: string): Promise<string[]> {
  return (await readdir(root)).filter((name) => /^\.\.\d{4}(_\d\d){5}\./.test(name));
}

export async function publishedDirectory(root: string): Promise<string> {
  return await readlink(join(root, '..data'));
}

/** Ends the daemon's process as a crash would; resolves when it is gone. */
export async function killDaemon(daemon: DaemonProcess): Promise<number> {
  const { pid } = await daemon.client.status();
  process.kill(pid, 'SIGKILL');
  await untilEnded(pid);
  return pid;
}
