/**
 * Mounting and unmounting FUSE: directly with mount(2) where the process may, otherwise through fusermount3, the
 * setuid program of the fuse3 package. Call it from a thread that serves no request of the tree the target lies in.
 */
import { stat } from 'node:fs/promises';
import { DunnageError, fromSystemError } from '../errors/dunnage-error.ts';
import { loadNative } from '../native/load.ts';
import type { FuseMountOptions } from './fuse-mount-options.ts';
import { mountWithHelper, unmountWithHelper } from './fusermount.ts';

export type { FuseMountOptions };

export interface FuseMount {
  /** The /dev/fuse descriptor (O_NONBLOCK, close-on-exec). It belongs to the caller. */
  readonly device: number;
  /** True if mounted with mount(2): then `unmount`, bind mounts and propagation are at the process's command too. */
  readonly privileged: boolean;
}

const DIRECTORY_TYPE_BITS = 0o040000;

/**
 * Mounts; the kernel's INIT request waits in the device when it resolves.
 * @throws DunnageError MISSING_DEPENDENCY without /dev/fuse or fusermount3; that of the failed call otherwise.
 */
export async function mountFuse(options: FuseMountOptions): Promise<FuseMount> {
  await requireDirectory(options.target);
  if (process.geteuid?.() !== 0) return { device: await mountWithHelper(options), privileged: false };
  const native = loadNative();
  const device = openDevice();
  try {
    native.mountFuse({
      device,
      target: options.target,
      source: options.source,
      subtype: options.subtype,
      rootMode: DIRECTORY_TYPE_BITS | options.rootMode,
      userId: process.geteuid?.() ?? 0,
      groupId: process.getegid?.() ?? 0,
      allowOther: options.allowOther,
      readOnly: options.readOnly === true,
      extraOptions: options.extraOptions ?? '',
    });
    return { device, privileged: true };
  } catch (error) {
    native.closeDescriptor(device);
    // Root without CAP_SYS_ADMIN, as in many containers.
    if (systemCode(error) === 'EPERM') return { device: await mountWithHelper(options), privileged: false };
    throw fromSystemError(error, `cannot mount ${options.target}`);
  }
}

/**
 * Unmounts what is on top of `target`. With `detach` the mount point is free at once and the mount ends when the last
 * user is gone; otherwise a mount in use is an error.
 * @throws DunnageError BUSY if in use, INVALID_ARGUMENT if nothing is mounted there.
 */
export async function unmount(target: string, { detach }: { readonly detach: boolean }): Promise<void> {
  try {
    loadNative().unmount(target, detach);
  } catch (error) {
    if (systemCode(error) === 'EPERM') return unmountWithHelper(target, detach);
    throw fromSystemError(error, `cannot unmount ${target}`);
  }
}

function openDevice(): number {
  try {
    return loadNative().openFuseDevice();
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENODEV' || code === 'ENXIO') {
      throw new DunnageError('MISSING_DEPENDENCY', 'the kernel module fuse is not loaded: there is no /dev/fuse', {
        remedy: 'load it: modprobe fuse; in a container, start it with --device /dev/fuse',
        cause: error,
      });
    }
    throw fromSystemError(error, 'cannot open /dev/fuse');
  }
}

async function requireDirectory(target: string): Promise<void> {
  try {
    if ((await stat(target)).isDirectory()) return;
  } catch (error) {
    if (systemCode(error) === 'ENOTCONN') {
      throw new DunnageError('UNREACHABLE', `${target} is the mount of a process that has died`, {
        remedy: `unmount it: umount -l ${target}`,
        cause: error,
      });
    }
    throw fromSystemError(error, `cannot mount on ${target}`);
  }
  throw new DunnageError('NOT_A_DIRECTORY', `cannot mount on ${target}: it is not a directory`);
}

function systemCode(error: unknown): unknown {
  return (error as { code?: unknown } | null)?.code;
}
