/**
 * Everything the addon exports, typed once. Functions throw an `Error` whose `code` is the symbolic errno (`ENOENT`),
 * `errno` the positive number and `syscall` the call's name, like those of `node:fs`.
 */
export interface NativeBinding {
  /** Opens /dev/fuse (O_RDWR | O_CLOEXEC | O_NONBLOCK) and returns the descriptor. */
  openFuseDevice(): number;
  /**
   * Mounts (fsopen(2) to move_mount(2)) as type `fuse.<subtype>`, nodev and nosuid. Needs CAP_SYS_ADMIN. Does not wait for INIT.
   */
  mountFuse(request: FuseMountRequest): void;
  /** umount2(target, UMOUNT_NOFOLLOW [| MNT_DETACH]). */
  unmount(target: string, detach: boolean): void;
  /** mount(2) with MS_BIND (and MS_REC). */
  bindMount(source: string, target: string, recursive: boolean): void;
  /** Makes ONE mount point (not its superblock) read-only or writable: mount_setattr(2). ENOSYS before Linux 5.12. */
  setMountReadOnly(target: string, readOnly: boolean): void;
  setPropagation(target: string, propagation: 'shared' | 'private' | 'slave', recursive: boolean): void;

  /** AF_UNIX socketpair, close-on-exec. */
  socketPair(type: 'stream' | 'seqpacket'): readonly [number, number];
  /** Connects an AF_UNIX SOCK_SEQPACKET socket, close-on-exec. */
  connectSeqpacket(path: string): number;
  /** sendmsg(2) with SCM_RIGHTS. */
  sendMessage(socket: number, data: Uint8Array, descriptors: readonly number[]): void;
  /** recvmsg(2) of one message; waits at most `timeoutMs` (ETIMEDOUT). `data` is empty at end of stream. Blocks the caller: for start-up only. */
  receiveMessage(
    socket: number,
    bytesMax: number,
    timeoutMs: number,
  ): { readonly data: Buffer; readonly descriptors: number[] };
  /** Calls back once when the descriptor hangs up or becomes readable. Returns a function that stops watching. */
  watchReadable(descriptor: number, callback: () => void): () => void;

  /** inotify_init1(2), non-blocking and close-on-exec: read its events with node:fs. See `inotify.ts`. */
  inotifyOpen(): number;
  /** inotify_add_watch(2) of exactly the object that a descriptor names (O_PATH will do). Returns the number of the watch. */
  inotifyAdd(inotify: number, watched: number, mask: number): number;
  /** inotify_rm_watch(2). A watch that is gone already is no mistake. */
  inotifyRemove(inotify: number, watch: number): void;

  createMemfd(name: string, sizeBytes: number): number;
  /** Maps a descriptor shared and writable; unmapped when the ArrayBuffer is collected. */
  mapShared(descriptor: number, sizeBytes: number): ArrayBuffer;
  /**
   * Keeps a whole mapping of `mapShared` out of core dumps and forked children (madvise(2)), and out of swap (mlock(2)).
   * Returns 0, or the positive errno for which mlock(2) was refused: ENOMEM or EPERM by RLIMIT_MEMLOCK.
   */
  lockMemory(memory: Uint8Array): number;

  /**
   * madvise(MADV_DONTNEED) of every read-only shared mapping of that file in this process: its pages stay in the page cache and
   * are mapped again when they are touched. `path` as the kernel knows it.
   */
  dropMappedPages(path: string): void;

  /** flock(LOCK_EX | LOCK_NB). False if another open file holds it. */
  tryLock(descriptor: number): boolean;
  /** openat2(2) beneath the directory: RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS, plus RESOLVE_NO_SYMLINKS unless `followLinks`. Adds O_CLOEXEC. */
  openBeneath(directory: number, path: string, flags: number, mode: number, followLinks: boolean): number;
  closeDescriptor(descriptor: number): void;
  /**
   * fdatasync(2) of one descriptor, then pwrite(2) of all bytes to another, in one visit to the libuv pool: a durable commit
   * pays for one change of threads instead of two. The bytes are copied. Nothing is written if the flush fails.
   */
  flushThenWrite(flushed: number, written: number, bytes: Uint8Array, offsetBytes: number): Promise<void>;
  /**
   * pwrite(2) of all bytes (which are copied) to a descriptor opened with O_DSYNC, in the libuv pool. The first byte of `done` becomes 1 as soon as they
   * are on disk, also while this thread has no time for its event loop (`Atomics.load`).
   */
  writeThrough(descriptor: number, bytes: Uint8Array, offsetBytes: number, done: Uint8Array): Promise<void>;
  /** pidfd_open(2): a descriptor of a living process (ESRCH if there is none), close-on-exec. ENOSYS before Linux 5.3. */
  openProcess(processId: number): number;
  /** pidfd_send_signal(2) to a descriptor of `openProcess`. False if the process is gone. Signal 0 only looks. */
  signalProcess(descriptor: number, signal: number): boolean;
  /** Sets O_NONBLOCK on the open file, e.g. a /dev/fuse that fusermount3 opened. */
  setNonBlocking(descriptor: number): void;
  /**
   * Whether somebody has the file, opened here for reading only, open for writing: fcntl(F_SETLEASE). Undefined where that
   * cannot be told: file systems without leases, files of other users without CAP_LEASE.
   */
  hasWriter(descriptor: number): boolean | undefined;
  /** prctl(PR_SET_DUMPABLE, 0): no core dump, no ptrace by the same user, and RLIMIT_CORE 0. */
  forbidCoreDumps(): void;

  /**
   * Attaches an open file (its access mode counts) to a free loop device: LOOP_CONFIGURE with direct I/O. `blockSizeBytes` 0
   * leaves the logical block size to the kernel. `descriptor` is the opened device, the caller's to close; with `autoClear` the device
   * is detached when the last descriptor or mount of it goes.
   */
  attachLoop(file: number, blockSizeBytes: number, autoClear: boolean): Promise<AttachedLoop>;
  /** LOOP_GET_STATUS64 of an opened loop device. ENXIO if it is attached to nothing. */
  loopStatus(device: number): Promise<LoopStatus>;
  /** Every attached loop device of the host with the path of its file, as the kernel tells it (` (deleted)` behind an unlinked one). */
  listLoops(): Promise<readonly LoopRow[]>;
  /**
   * LOOP_CLR_FD. `busy`: others have it open and it stays as it was; with `deferred` it is `deferred` until the last of them closes
   * it. A device that is attached to nothing is `detached`.
   */
  detachLoop(device: number, deferred: boolean): Promise<'detached' | 'deferred' | 'busy'>;
  /** Takes the promise of a deferred `detachLoop` (or of `autoClear`) back. False if the device was detached already. */
  keepLoop(device: number): Promise<boolean>;
  /**
   * Gives the device a size of 0, for good: whatever its users ask of it fails from now on. False if the kernel refuses because
   * pages of the device are in use (a file system is mounted).
   */
  emptyLoop(device: number): Promise<boolean>;
  /** LOOP_SET_CAPACITY: the device becomes as long as its file is now. */
  growLoop(device: number): Promise<void>;

  /** O_TMPFILE in an opened directory, mode 0600: a file that is gone with its descriptor unless it gets a name. */
  createUnnamedFile(directory: number): Promise<number>;
  /** The same with the content of `source`, sharing its blocks: FICLONE, atomic towards writers of `source`. */
  cloneToUnnamedFile(directory: number, source: number): Promise<number>;
  /**
   * fsync(2) and linkat(2) of each file, fsync(2) of the directory: the files have those names, durably. Resolves to the errno of each
   * that could not be linked (EEXIST: the name is taken) and 0 for the others.
   */
  nameFiles(files: readonly number[], directory: number, names: readonly string[]): Promise<readonly number[]>;
  /** FS_IOC_FIEMAP, after flushing the file: bytes in blocks of its own and in blocks shared with other files. */
  fileExtents(file: number): Promise<FileExtents>;
  /**
   * One ioctl of the device-mapper on its opened control device: `command` is its number, `message` a struct dm_ioctl with what
   * follows it. Resolves with the bytes that the kernel left there. EINVAL if the message is not as long as it says.
   */
  deviceMapperCommand(control: number, command: number, message: Uint8Array): Promise<Buffer>;
  /** mknod(2) of a block device, with exactly those permission bits. EEXIST if something is there. */
  makeDeviceNode(path: string, mode: number, major: number, minor: number): void;
  /** BLKGETSIZE64 of an opened block device. */
  blockDeviceSize(device: number): number;
  /** BLKDISCARD: what was there is lost, and the blocks may be used for something else. */
  discardBlocks(device: number, offsetBytes: number, lengthBytes: number): Promise<void>;
  /** fallocate(2) from the beginning of the file, which gets that length at least. */
  allocateSpace(file: number, lengthBytes: number): Promise<void>;
  /** FITHAW. False if the file system was not frozen. */
  thawFileSystem(directory: number): Promise<boolean>;
  /** syncfs(2) in the libuv pool. Waits while the file system is frozen. */
  flushFileSystem(directory: number): Promise<void>;

  /*
   * Trees, by the descriptor of a directory and names below it. Names are bytes, one per character (`ByteText` of src/base): a
   * file name need not be UTF-8. Links are never followed.
   */

  /**
   * openat2(2) with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS, and RESOLVE_NO_XDEV if `sameMount`. An empty path is
   * the directory itself. Adds O_CLOEXEC.
   */
  openNode(directory: number, path: string, flags: number, mode: number, sameMount: boolean): number;
  /** statx(2) of a name, or of the descriptor itself if it is empty; the fields are those of `NODE` in node-status.ts. */
  statNode(directory: number, name: string): Float64Array;
  /** Everything in a directory, in the order of the file system; `attributes` has `NODE.fields` numbers for each name. */
  listNodes(directory: number): { readonly names: string[]; readonly attributes: Float64Array };
  readLinkText(directory: number, name: string): string;
  /**
   * Opens a file, takes its status (`NODE.fields` numbers, then 1 if it has extended attributes) and reads it whole, in one call. Returns how many
   * bytes there are; -1 if it is no regular file or longer than `into`: nothing is read then.
   */
  readSmallFile(directory: number, name: string, into: Uint8Array, status: Float64Array): number;
  /** mkdirat(2) if the mode says directory, mknodat(2) otherwise. The umask applies. */
  makeNode(directory: number, name: string, mode: number, deviceMajor: number, deviceMinor: number): void;
  makeSymlink(text: string, directory: number, name: string): void;
  /** linkat(2); a link is linked itself. */
  makeLink(fromDirectory: number, from: string, directory: number, name: string): void;
  /** unlinkat(2). */
  removeNode(directory: number, name: string, isDirectory: boolean): void;
  /** renameat2(2): replaces, or fails with EEXIST (`keep`), or exchanges the two. */
  renameNode(
    fromDirectory: number,
    from: string,
    directory: number,
    name: string,
    how: 'replace' | 'keep' | 'exchange',
  ): void;
  /** fchownat(2); with an empty name of the descriptor itself, which may be one of O_PATH. */
  setOwner(directory: number, name: string, userId: number, groupId: number): void;
  /** utimensat(2); with an empty name of the open file itself. */
  setTimes(
    directory: number,
    name: string,
    accessSeconds: number,
    accessNanoseconds: number,
    modifySeconds: number,
    modifyNanoseconds: number,
  ): void;
  /** syncfs(2): all of the file system is on the disk when it returns. Blocks the caller. */
  syncFileSystem(descriptor: number): void;
  /** Of an open file, or of a link, device or fifo that is open with O_PATH. Empty where the file system has none. */
  listXattrs(descriptor: number): string[];
  getXattr(descriptor: number, name: string): Buffer;
  setXattr(descriptor: number, name: string, value: Uint8Array): void;
  /** The same in libuv's pool, where it may wait for a file system that is frozen. Of an open file only. */
  setXattrInPool(descriptor: number, name: string, value: Uint8Array): Promise<void>;
  removeXattr(descriptor: number, name: string): void;
  /** lseek(2) SEEK_DATA; -1 if there is only a hole from there on. Moves the position of the open file. */
  seekData(descriptor: number, offsetBytes: number): number;
  /** lseek(2) SEEK_HOLE; -1 behind the end. Moves the position of the open file. */
  seekHole(descriptor: number, offsetBytes: number): number;

  /** Starts to serve an opened, mounted device. Runs in the event loop of the calling thread (main or worker). */
  createChannel(device: number, options: ChannelOptions): Channel;
  /**
   * Serves a directory of the host with threads of the addon, from now on. INIT was answered. Needs root. All descriptors stay the
   * caller's. O_NONBLOCK is taken off the device.
   * Throws EINVAL if the memory is that of another version, ESTALE if it is that of another directory, EXDEV if `orphans` is not on
   * the same file system, EPERM without the capabilities.
   */
  createLoopback(options: LoopbackOptions): Loopback;
  /** Size of the memory of `createLoopback`: many GiB, of which only what is used takes room. */
  loopbackMemoryBytes(): number;
}

export interface FuseMountRequest {
  readonly device: number;
  readonly target: string;
  readonly source: string;
  readonly subtype: string;
  /** S_IFDIR | permission bits of the root. */
  readonly rootMode: number;
  readonly userId: number;
  readonly groupId: number;
  readonly allowOther: boolean;
  /** Makes the mount read-only, not the file system, before it is attached: copies in other mount namespaces are too. */
  readonly readOnly: boolean;
  /** Further options in mount(8)'s syntax, e.g. `context="..."`; empty for none. `default_permissions` is always set. */
  readonly extraOptions: string;
}

export interface AttachedLoop {
  /** N of /dev/loopN. */
  readonly number: number;
  readonly descriptor: number;
  /** False if the kernel refused direct I/O, e.g. because the block size does not suit the disk below. */
  readonly directIo: boolean;
}

export interface LoopStatus {
  readonly number: number;
  /** Device and inode of the file behind it, comparable to those of stat(2). */
  readonly backingDevice: number;
  readonly backingInode: bigint;
  readonly offsetBytes: number;
  readonly directIo: boolean;
  readonly autoClear: boolean;
  readonly readOnly: boolean;
}

export interface LoopRow {
  readonly number: number;
  readonly backingFile: string;
}

export interface FileExtents {
  readonly ownBytes: number;
  readonly sharedBytes: number;
  /** How many pieces the file is in. */
  readonly extents: number;
}

export interface ChannelOptions {
  /** Size of the request buffer: largest write plus room for the header. */
  readonly bufferSizeBytes: number;
  /**
   * Memory to read requests into, at its beginning, instead of the channel's own; at least `bufferSizeBytes` long. Must not be
   * transferred to another thread.
   */
  readonly requestBuffer?: ArrayBuffer;
  /** Requests read before the event loop gets its turn. */
  readonly requestsPerTurn: number;
  /**
   * A request of `lengthBytes` bytes is in `requestBuffer`; it must be decoded before returning. Must not throw. True: every request so far is
   * answered, so the thread may wait a moment for the next one of who makes one after another.
   */
  readonly onRequest: (lengthBytes: number) => unknown;
  /** The connection is over: errno ENODEV after an unmount, ECONNABORTED/… otherwise. Called once, then nothing else. */
  readonly onEnd: (errno: number) => void;
}

/**
 * One /dev/fuse descriptor, polled in the event loop of the thread that made it. The descriptor stays the caller's:
 * `close` does not close it.
 */
export interface Channel {
  /** Its first 8 bytes (length and opcode of a request) are zero whenever no request is being handled. */
  readonly requestBuffer: ArrayBuffer;
  /** Scratch for replies; `send` writes its first bytes. 64 KiB plus a header at least (READDIR answers up to that). */
  readonly replyBuffer: ArrayBuffer;
  start(): void;
  /**
   * writev(2) of the first `lengthBytes` bytes of `replyBuffer` and then `data`. Returns 0 or a positive errno: ENOENT
   * means that the kernel no longer waits (interrupted or aborted), EBADF that the channel is closed.
   */
  send(lengthBytes: number, data?: Uint8Array): number;
  /** Copies the bytes and has the notifier thread write them. `onResult` of `ChannelOptions` is not needed: errors ENOENT (nothing cached) are expected, others are counted. */
  notify(message: Uint8Array): void;
  /** Notifications queued or being written, and how many failed with something else than ENOENT. */
  notifierStatus(): { readonly pending: number; readonly failed: number };
  /** Resolves when every notification queued before the call was written; rejects with ECANCELED if the channel is closed before. */
  notifierDrained(): Promise<void>;
  /** Stops polling and the notifier (what is queued is dropped; a write that blocks ends by itself later). Idempotent. */
  close(): Promise<void>;
}

export interface LoopbackOptions {
  /** Opened /dev/fuse of a mount with `default_permissions`. */
  readonly device: number;
  /** Descriptor of the directory that is shown. */
  readonly root: number;
  /** Descriptor of a directory of the engine's own on the same file system; emptied, but for what is still in use after a takeover. */
  readonly orphans: number;
  /** A memfd of `loopbackMemoryBytes` bytes: all zero for a new mount, or what the daemon before left. */
  readonly memory: number;
  /** What was agreed on with INIT. */
  readonly features: readonly string[];
  /** Requests that are worked on at the same time; 1 to 64. */
  readonly threads: number;
  /** The memory is an earlier daemon's. What it left unanswered is answered first. */
  readonly isTakeover: boolean;
  /** The connection is over: errno ENODEV after an unmount, ECONNABORTED after an abort. Called at most once; `close` is still due. */
  readonly onEnd: (errno: number) => void;
}

/** Paths are relative to the root, without links in them; '' is the root itself. After `close` everything throws EBADF. */
export interface Loopback {
  /**
   * From now on nothing can be made in that directory, or moved into or out of it, through the mount (EROFS), and it can be neither
   * renamed nor removed (EBUSY). It is the directory that is sealed, not its name. The memory keeps it. ENOSPC beyond 65536.
   */
  seal(path: string): void;
  unseal(path: string): void;
  /** The kernel asks for that name again. Resolves when it was told. What is mounted on a name that still exists stays (from Linux 6.2). */
  forget(parent: string, name: string): Promise<void>;
  /** The kernel asks for attributes, content and listing of that file or directory again. Resolves when it was told. */
  refresh(path: string): Promise<void>;
  statistics(): LoopbackStatistics;
  /**
   * Stops the threads, at the latest after two seconds: one that is inside of a call to the file system beneath ends after it by
   * itself. What is unanswered is in the memory. Promises that are still open are rejected with ECANCELED. Idempotent.
   */
  close(): Promise<void>;
}

export interface LoopbackStatistics {
  /** Requests by opcode; the last number counts opcodes that are not known. */
  readonly served: readonly number[];
  /** How long each request that is being worked on has been. */
  readonly agesMs: readonly number[];
  /** Files and directories that the kernel knows. */
  readonly nodes: number;
  readonly openFiles: number;
  /** Descriptors that are kept open for them: bounded, whatever the kernel knows and has open. */
  readonly descriptors: number;
  /** Whether reads and writes go to the file system beneath without asking. */
  readonly isPassthrough: boolean;
  readonly failedReplies: number;
  readonly pendingNotifications: number;
  readonly failedNotifications: number;
}
