/**
 * Joins one file system to one mount by fuse-native, in the main thread of a process that does nothing else and never
 * touches the mount.
 *
 * Life: `mount` -> serving -> ended (`onEnd`: unmounted or aborted) -> `close`. There is no INIT of our own, nothing can be
 * taken over, and the kernel is told nothing: what it may forget is told to `onLapsed`, for another process to look up.
 */
import { readdirSync, readlinkSync } from 'node:fs';
import { constants } from 'node:os';
import { type Clock, systemClock } from '../../base/clock.ts';
import type { NodeId } from '../../base/ids.ts';
import { limits } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import { type FuseNativeLibrary, loadFuseNative } from '../../native/fuse-native.ts';
import type { Caller, FileSystem } from '../../vfs/file-system.ts';
import type { KernelCache } from '../../vfs/ports.ts';
import type { ConnectionStatistics } from '../statistics.ts';
import { PathServer } from './operations.ts';
import { Outstanding } from './outstanding.ts';
import { PathTable } from './path-table.ts';

export interface FuseNativeConnectionOptions {
  /** For logs: `projections`. */
  readonly name: string;
  /** Absolute, without symlinks; an empty directory. */
  readonly mountPoint: string;
  readonly fileSystem: FileSystem;
  /** Let users other than the one who mounts look inside. */
  readonly allowOther: boolean;
  readonly log: Log;
  /** The connection is over. Called at most once; `close` is still due. */
  onEnd(errno: number): void;
  /** The kernel may still have this name, which is gone: a lookup of it through the mount makes it forget. */
  onLapsed(parent: NodeId, name: string): void;
  readonly leaseMs?: number;
  readonly clock?: Clock;
  /** Stands in for fuse-native in tests. */
  readonly library?: FuseNativeLibrary;
}

/** fuse-native copies the path into a field of this size. */
const MOUNT_POINT_BYTES_MAX = 1023;
/** How often the end of the connection is looked for, leases are ended and slow requests are noticed. */
const LOOK_MS = 500;
const DEVICE = '/dev/fuse';

export class FuseNativeConnection {
  readonly #options: FuseNativeConnectionOptions;
  readonly #paths: PathTable;
  readonly #outstanding: Outstanding;
  readonly #server: PathServer;
  /** The names of the mount's descriptor in /proc/self/fd. */
  #device: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly kernelCache: KernelCache;

  private constructor(options: FuseNativeConnectionOptions) {
    const { name, fileSystem, log, clock = systemClock, leaseMs = limits.fuseNativeLeaseMs } = options;
    this.#options = options;
    const caller: Caller = {
      uid: process.getuid?.() ?? 0,
      gid: process.getgid?.() ?? 0,
      pid: 0,
      resent: false,
      signal: undefined,
    };
    this.#paths = new PathTable({
      fileSystem,
      clock,
      caller,
      leaseMs,
      onLapsed: (parent, child) => options.onLapsed(parent, child),
    });
    this.#outstanding = new Outstanding({ name, log, clock, unansweredMs: limits.fuseUnansweredMs });
    this.#server = new PathServer({
      name,
      fileSystem,
      paths: this.#paths,
      outstanding: this.#outstanding,
      caller,
      log,
    });
    this.kernelCache = {
      invalidateEntry: (parent, child) => this.#paths.invalidate(parent, child),
      // Content never changes under a node, and attributes expire.
      invalidateNode: () => undefined,
    };
  }

  /**
   * Mounts and serves.
   * @throws DunnageError MISSING_DEPENDENCY without libfuse 2, NAME_TOO_LONG, IO if libfuse cannot mount (it says why on stderr).
   */
  static async mount(options: FuseNativeConnectionOptions): Promise<FuseNativeConnection> {
    const connection = new FuseNativeConnection(options);
    await connection.#mount();
    return connection;
  }

  async #mount(): Promise<void> {
    const { mountPoint, allowOther, leaseMs = limits.fuseNativeLeaseMs } = this.#options;
    if (Buffer.byteLength(mountPoint) > MOUNT_POINT_BYTES_MAX) {
      throw new DunnageError(
        'NAME_TOO_LONG',
        `the mount point ${mountPoint} is too long for the transport fuse-native`,
        {
          remedy: `choose one of at most ${MOUNT_POINT_BYTES_MAX} bytes with --mount`,
        },
      );
    }
    const Library = this.#options.library ?? loadFuseNative();
    // Half a lease: a name the kernel has without asking is always one the table still has.
    const timeoutSeconds = Math.max(1, Math.floor(leaseMs / 2000));
    const fuse = new Library(mountPoint, this.#server.operations(), {
      allowOther,
      defaultPermissions: true,
      kernelCache: true,
      // hard_remove: libfuse would rename what is removed while it is open.
      fsname: 'dunnage,use_ino,hard_remove,negative_timeout=0',
      subtype: 'dunnage',
      entryTimeout: timeoutSeconds,
      attrTimeout: timeoutSeconds,
      timeout: false,
    });
    const others = openDevices();
    await new Promise<void>((resolve, reject) => {
      fuse.mount((error) => {
        if (error === undefined || error === null) resolve();
        else reject(new DunnageError('IO', `libfuse cannot mount ${mountPoint}: ${error.message}`, { cause: error }));
      });
    });
    this.#device = openDevices().find((name) => !others.includes(name));
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  statistics(): ConnectionStatistics {
    return {
      requests: this.#outstanding.total,
      operations: this.#outstanding.byName(),
      inFlight: this.#outstanding.size,
      unanswered: this.#outstanding.unansweredNow,
      unansweredEver: this.#outstanding.unansweredEver,
      malformed: 0,
      exceptions: this.#server.exceptions,
      failedReplies: 0,
      unjournaled: 0,
      pendingNotifications: 0,
      failedNotifications: 0,
    };
  }

  get openHandles(): number {
    return this.#server.openHandles;
  }

  /** Stops looking after the connection. It ends with the unmount, or with the process. Idempotent. */
  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    this.#outstanding.look();
    this.#paths.sweep();
    // libfuse closes its device when the kernel has ended the connection, and calls nobody.
    if (this.#device === undefined || isDevice(this.#device)) return;
    this.close();
    this.#options.onEnd(constants.errno.ENODEV);
  }
}

/** Descriptors of this process that are open on /dev/fuse. */
function openDevices(): string[] {
  return readdirSync('/proc/self/fd').filter(isDevice);
}

function isDevice(name: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${name}`) === DEVICE;
  } catch (error) {
    // The descriptor that read the directory is closed by now; so may be the device's.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
