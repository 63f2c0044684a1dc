/** Daemons with thin pools, for tests that use the devices as people do. */
import { execFile } from 'node:child_process';
import { closeSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { loadNative } from '../../../src/native/load.ts';
import type { DaemonProcess } from '../../tools/daemon-process.ts';
import { reboot } from './alloc-daemon.ts';

const run = promisify(execFile);

export function poolManifest(name: string, spec: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ apiVersion: 'dunnage/v1', kind: 'Pool', metadata: { name }, spec });
}

export function inDevices(daemon: DaemonProcess, ...parts: readonly string[]): string {
  return join(daemon.mountPoint, 'devices', ...parts);
}

/** Backing files of loop devices that lie in the daemon's folder. */
export async function attachedBelow(daemon: DaemonProcess): Promise<readonly string[]> {
  const rows = await loadNative().listLoops();
  return rows.map(({ backingFile }) => backingFile).filter((path) => path.includes(daemon.folder));
}

/** What a reboot takes away, block devices included. */
export async function rebootWithPools(daemon: DaemonProcess): Promise<void> {
  const rows = await loadNative().listLoops();
  await reboot(daemon);
  const images = rows.filter(({ backingFile }) => backingFile.includes(daemon.folder) && backingFile.endsWith('.img'));
  for (const { number } of images) await run('losetup', ['--detach', `/dev/loop${number}`]).catch(() => undefined);
}

const BLOCK_BYTES = 4096;

export function writeBlock(path: string, text: string): void {
  const device = openSync(path, 'r+');
  try {
    writeSync(device, Buffer.alloc(BLOCK_BYTES, text), 0, BLOCK_BYTES, 0);
    fsyncSync(device);
  } finally {
    closeSync(device);
  }
}

/** Its first characters. */
export function readBlock(path: string, length: number): string {
  const device = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(length);
    readSync(device, bytes, 0, length, 0);
    return bytes.toString();
  } finally {
    closeSync(device);
  }
}
