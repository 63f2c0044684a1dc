/**
 * What plain Node.js and the programs of util-linux can do in place of the addon: enough to serve projections over the
 * transport fuse-native. What only the addon can do (the kernel transport, passing descriptors, shared memory) throws the
 * error that says why there is no addon.
 *
 * Weaker than the addon, and said so where a daemon starts: the memory of the process can be read by other processes of
 * the same user. (Core dumps are forbidden here too.)
 */
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, fdatasync, write } from 'node:fs';
import { promisify } from 'node:util';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { NativeBinding } from './binding.ts';
import { systemError } from './system-error.ts';
import { walkBeneath } from './walk-beneath.ts';

const flush = promisify(fdatasync);
const writeAt = promisify(write);

/** Programs print their reasons in the language of the caller otherwise. */
const PROGRAM_ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C' };
const PROGRAM_TIMEOUT_MS = 30_000;
/** flock(1): somebody else holds the lock. */
const FLOCK_HELD = 1;

/** `reason`: why the addon cannot be loaded. */
export function withoutAddon(reason: DunnageError): NativeBinding {
  const missing = (what: string) => (): never => {
    throw new DunnageError('MISSING_DEPENDENCY', `${what} needs the addon of dunnage: ${reason.message}`, {
      ...(reason.remedy === undefined ? {} : { remedy: reason.remedy }),
      cause: reason,
    });
  };
  return {
    openFuseDevice: missing('the kernel transport'),
    mountFuse: missing('the kernel transport'),
    createChannel: missing('the kernel transport'),
    createLoopback: missing('alloc directories'),
    loopbackMemoryBytes: missing('alloc directories'),
    bindMount: missing('bind mounting'),
    setMountReadOnly: missing('making a mount read-only'),
    setPropagation: missing('sharing a mount'),
    socketPair: missing('passing descriptors'),
    connectSeqpacket: (path) => connectSeqpacket(path, missing('reaching the holder')),
    sendMessage: missing('passing descriptors'),
    receiveMessage: missing('passing descriptors'),
    watchReadable: missing('watching a descriptor'),
    inotifyOpen: missing('following files'),
    inotifyAdd: missing('following files'),
    inotifyRemove: missing('following files'),
    createMemfd: missing('shared memory'),
    mapShared: missing('shared memory'),
    lockMemory: missing('locking memory'),
    // Only the figure of resident memory is larger without it.
    dropMappedPages: () => undefined,
    setNonBlocking: missing('setting O_NONBLOCK'),
    // A reaction that sends a signal fails with this; one that runs a command does not need it.
    openProcess: missing('signalling a process'),
    signalProcess: missing('signalling a process'),
    attachLoop: missing('attaching a loop device'),
    loopStatus: missing('looking at a loop device'),
    deviceMapperCommand: missing('the device-mapper'),
    makeDeviceNode: missing('making a device node'),
    blockDeviceSize: missing('the size of a block device'),
    discardBlocks: missing('discarding blocks'),
    listLoops: missing('listing loop devices'),
    detachLoop: missing('detaching a loop device'),
    keepLoop: missing('keeping a loop device'),
    emptyLoop: missing('emptying a loop device'),
    growLoop: missing('growing a loop device'),
    createUnnamedFile: missing('making an image'),
    cloneToUnnamedFile: missing('cloning an image'),
    nameFiles: missing('making an image'),
    fileExtents: missing('counting the blocks of a file'),
    allocateSpace: missing('allocating space'),
    thawFileSystem: missing('thawing a file system'),
    flushFileSystem: missing('flushing a file system'),
    setXattrInPool: missing('noting the length of an image'),
    unmount,
    tryLock,
    openBeneath: walkBeneath,
    closeDescriptor: (descriptor) => closeSync(descriptor),
    // A hint only: the flush that follows it writes all.
    flushThenWrite,
    writeThrough,
    forbidCoreDumps,
    hasWriter: () => undefined,
    ...withoutTrees(missing('working on a tree by descriptors')),
  };
}

type TreeFunction =
  | 'openNode'
  | 'statNode'
  | 'listNodes'
  | 'readLinkText'
  | 'readSmallFile'
  | 'makeNode'
  | 'makeSymlink'
  | 'makeLink'
  | 'removeNode'
  | 'renameNode'
  | 'setOwner'
  | 'setTimes'
  | 'syncFileSystem'
  | 'listXattrs'
  | 'getXattr'
  | 'setXattr'
  | 'removeXattr'
  | 'seekData'
  | 'seekHole';

/** Alloc directories and archives need the addon. */
function withoutTrees(missing: () => never): Record<TreeFunction, () => never> {
  return {
    openNode: missing,
    statNode: missing,
    listNodes: missing,
    readLinkText: missing,
    readSmallFile: missing,
    makeNode: missing,
    makeSymlink: missing,
    makeLink: missing,
    removeNode: missing,
    renameNode: missing,
    setOwner: missing,
    setTimes: missing,
    syncFileSystem: missing,
    listXattrs: missing,
    getXattr: missing,
    setXattr: missing,
    removeXattr: missing,
    seekData: missing,
    seekHole: missing,
  };
}

/** A socket that does not exist is nobody's: that needs no addon to be said. */
function connectSeqpacket(path: string, missing: () => never): number {
  if (existsSync(path)) return missing();
  throw systemError('ENOENT', 'connect', path, 'no such file or directory');
}

async function flushThenWrite(flushed: number, written: number, bytes: Uint8Array, offsetBytes: number): Promise<void> {
  const copy = Uint8Array.from(bytes);
  await flush(flushed);
  await writeAll(written, copy, offsetBytes);
}

async function writeThrough(
  descriptor: number,
  bytes: Uint8Array,
  offsetBytes: number,
  done: Uint8Array,
): Promise<void> {
  await writeAll(descriptor, Uint8Array.from(bytes), offsetBytes);
  Atomics.store(done, 0, 1);
}

async function writeAll(descriptor: number, bytes: Uint8Array, offsetBytes: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await writeAt(descriptor, bytes, done, bytes.length - done, offsetBytes + done);
    done += bytesWritten;
  }
}

/** flock(1) locks the open file it inherits, which stays locked when it ends. */
function tryLock(descriptor: number): boolean {
  const { status, error, stderr } = run('flock', ['-x', '-n', '3'], descriptor);
  if (error === undefined && (status === 0 || status === FLOCK_HELD)) return status === 0;
  throw new DunnageError('MISSING_DEPENDENCY', `cannot lock without the addon: flock: ${error?.message ?? stderr}`, {
    remedy: 'install it: apt-get install util-linux',
  });
}

/** The limit of core files only; there is no program that makes a process non-dumpable. */
function forbidCoreDumps(): void {
  const { status, error, stderr } = run('prlimit', ['--pid', String(process.pid), '--core=0:0']);
  if (error === undefined && status === 0) return;
  throw new DunnageError('MISSING_DEPENDENCY', `cannot forbid core dumps: prlimit: ${error?.message ?? stderr}`, {
    remedy: 'install it: apt-get install util-linux',
  });
}

function unmount(target: string, detach: boolean): void {
  const { status, error, stderr } = run('umount', detach ? ['-l', target] : [target]);
  if (error === undefined && status === 0) return;
  const said = error?.message ?? stderr;
  throw systemError(unmountErrno(said), 'umount2', target, said);
}

/** umount(8) has one exit status for every failure; its words tell them apart. */
function unmountErrno(said: string): string {
  if (/busy/i.test(said)) return 'EBUSY';
  if (/not mounted|no mount point|not a mount point|not found in/i.test(said)) return 'EINVAL';
  if (/no such file/i.test(said)) return 'ENOENT';
  if (/superuser|not permitted|permission denied|ENOENT/i.test(said)) return 'EPERM';
  return 'EIO';
}

interface Ran {
  readonly status: number | null;
  readonly error: Error | undefined;
  readonly stderr: string;
}

function run(program: string, parameters: readonly string[], descriptor?: number): Ran {
  const { status, error, stderr } = spawnSync(program, parameters, {
    stdio: ['ignore', 'ignore', 'pipe', ...(descriptor === undefined ? [] : [descriptor])],
    env: PROGRAM_ENVIRONMENT,
    encoding: 'utf8',
    timeout: PROGRAM_TIMEOUT_MS,
  });
  // stderr is null if the program could not be started.
  return { status, error, stderr: (stderr ?? '').trim() };
}
