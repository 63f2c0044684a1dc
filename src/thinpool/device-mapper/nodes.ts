/**
 * Where users find the block devices: `<directory>/<name>`, stable while the numbers of the kernel change.
 *
 * Where /dev is filled by the kernel it is a link to /dev/dm-N, because /run is mounted `nodev` on many hosts; elsewhere a node. The minor
 * number of a device that is gone comes to mean another device, so a node never outlives its device, and what a dead process left is
 * taken away at the start.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { fromSystemError } from '../../errors/dunnage-error.ts';
import type { NativeBinding } from '../../native/binding.ts';
import { systemCode } from '../../native/system-error.ts';
import type { DeviceNumber } from './pool-table.ts';

const NODE_MODE = 0o600;
const STAGED = '.staged-';

export class DeviceNodes {
  readonly #native: NativeBinding;
  readonly #directory: string;
  readonly #prefix: string;

  constructor(native: NativeBinding, directory: string, prefix = '') {
    this.#native = native;
    this.#directory = directory;
    this.#prefix = prefix;
  }

  path(name: string): string {
    return join(this.#directory, this.#prefix + name);
  }

  /** Makes the directory. Preconditions: its parent exists. */
  prepare(): void {
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o711 });
    } catch (error) {
      throw fromSystemError(error, `cannot create ${this.#directory}`);
    }
  }

  /** Replaces what is there, at once. */
  make(name: string, device: DeviceNumber): void {
    const staged = join(this.#directory, STAGED + this.#prefix + name);
    rmSync(staged, { force: true });
    const kernelNode = `/dev/dm-${device.minor}`;
    if (isSame(kernelNode, device)) symlinkSync(kernelNode, staged);
    else this.#native.makeDeviceNode(staged, NODE_MODE, device.major, device.minor);
    renameSync(staged, this.path(name));
  }

  remove(name: string): void {
    try {
      unlinkSync(this.path(name));
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw fromSystemError(error, `cannot remove ${this.path(name)}`);
    }
  }

  /** Takes away nodes that mean no device any more, or another one than their name says. Those of other pools stay. */
  sweep(): void {
    for (const name of readdirSync(this.#directory)) {
      const path = join(this.#directory, name);
      if (name.startsWith(STAGED) || !isStillMeant(path, name)) rmSync(path, { force: true });
    }
  }
}

/** The kernel's name of a thin device: that of its pool, then its own. */
export function kernelName(pool: string, name: string): string {
  return `${pool}-${name}`;
}

/** What is no node of the device-mapper is none of our business. */
function isStillMeant(path: string, name: string): boolean {
  const minor = /^\/dev\/dm-(\d+)$/.exec(linkText(path) ?? '')?.[1];
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return minor === undefined;
  if (!found.isBlockDevice()) return true;
  const { major, minor: ofNode } = splitDevice(found.rdev);
  const systemName = readText(`/sys/dev/block/${major}:${ofNode}/dm/name`);
  // Another driver's node, of loop devices say; with our link before it, a number that came to mean something else.
  if (systemName === undefined) return minor === undefined && existsSync(`/sys/dev/block/${major}:${ofNode}`);
  return `-${systemName.trimEnd()}`.endsWith(`-${name}`);
}

function linkText(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function isSame(path: string, { major, minor }: DeviceNumber): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isBlockDevice() !== true) return false;
  const numbers = splitDevice(found.rdev);
  return numbers.major === major && numbers.minor === minor;
}

/** Numbers of `st_rdev`, as the C library has them. */
export function splitDevice(rdev: number): DeviceNumber {
  const low = rdev % 2 ** 32;
  return { major: (low >>> 8) & 0xfff, minor: (low & 0xff) | ((low >>> 12) & 0xfff00) };
}
