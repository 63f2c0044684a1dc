/**
 * The mounted tree as the daemon holds it: its connections, their descriptors with the holder, and the memory that outlives a daemon.
 *
 * Fresh:    holder -> memory -> mount root -> serve -> record to the holder -> the same for projections, audited and allocs.
 * Takeover: everything comes from the holder; nothing is mounted, nothing initialised, and the kernel is asked to send
 *           again what was never answered. Where it cannot (before Linux 6.9), that is in a journal the holder keeps too.
 *
 * Without the right to mount there is no root connection: fusermount3 cannot look into a mount that belongs to one user, so
 * the mount point is an ordinary directory then, and projections/ in it is the mount.
 *
 * A descriptor goes to the holder together with its INIT record, and only then the kernel gets its INIT reply: whatever the
 * kernel relies on can be taken over.
 */
import { readdir } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Log } from '../base/log.ts';
import { makeDirectoriesSync } from '../base/make-directories.ts';
import { DunnageError, fromSystemError } from '../errors/dunnage-error.ts';
import { HolderClient, startHolder } from '../fuse/holder-client.ts';
import { decodeNegotiated, encodeNegotiated, type NegotiatedRecord } from '../fuse/init.ts';
import { JOURNAL_BYTES, JOURNAL_LAYOUT } from '../fuse/request-journal.ts';
import { mountFuse } from '../mounts/fuse-mount.ts';
import { canMakeViewsWritable } from '../mounts/writable-view.ts';
import { loadNative } from '../native/load.ts';
import { holderProgramPath } from '../native/programs.ts';
import { allocsPath, auditedPath, DEVICES_DIRECTORY, projectionsPath } from '../tree/places.ts';
import { allocPlaces, memoryPlaces } from './allocs/alloc-places.ts';
import {
  AllocsConnection,
  type AllocsConnectionOptions,
  type HeldAllocs,
  heldAllocs,
} from './allocs/allocs-connection.ts';
import type { DaemonOptions } from './daemon-options.ts';
import type { ConnectionName, ServedConnection } from './fuse-messages.ts';
import type { FuseThread } from './fuse-thread-client.ts';
import { clearDeadMounts, isMounted, unmountAllBeneath } from './mounted-tree.ts';
import { holderSocketPath } from './runtime-files.ts';
import type { ServedTree } from './served-tree.ts';
import { TAKEOVER_MEMORY_BYTES } from './takeover-memory.ts';

const MEMORY_ENTRY = 'memory';

const journalEntry = (name: ServedConnection): string => `journal-${name}`;

/** What a takeover must agree on: node ids mean something in one store only. */
interface TreeRecord {
  readonly stateDir: string;
  readonly mountPoint: string;
  /** Those that every version with this record serves; allocs has entries of its own. */
  readonly connections: readonly ServedConnection[];
  readonly memoryBytes: number;
}

interface HeldConnection {
  readonly device: number;
  readonly record: NegotiatedRecord;
  /** Descriptor of the request journal, where the kernel cannot send requests again. */
  readonly journal: number | undefined;
}

export interface HeldTree {
  readonly devices: ReadonlyMap<ServedConnection, HeldConnection>;
  readonly memoryDescriptor: number;
  /** Undefined if the earlier daemon had none, or one that cannot be gone on with. */
  readonly allocs: HeldAllocs | undefined;
  readonly warnings: readonly string[];
}

export class TreeMount implements ServedTree {
  readonly #options: DaemonOptions;
  readonly #log: Log;
  readonly #holder: HolderClient;
  readonly holderPid: number;
  readonly records: Map<ConnectionName, NegotiatedRecord> = new Map();
  readonly warnings: string[] = [];
  /** What an earlier daemon left; undefined for a fresh mount. */
  readonly held: HeldTree | undefined;
  readonly memoryDescriptor: number;
  readonly #descriptors: number[] = [];
  #allocs: AllocsConnection | undefined;
  #isReleased = false;

  private constructor(
    options: DaemonOptions,
    log: Log,
    holder: HolderClient,
    holderPid: number,
    held: HeldTree | undefined,
  ) {
    this.#options = options;
    this.#log = log;
    this.#holder = holder;
    this.holderPid = holderPid;
    this.held = held;
    this.memoryDescriptor = held?.memoryDescriptor ?? loadNative().createMemfd('dunnage', TAKEOVER_MEMORY_BYTES);
    this.#descriptors.push(this.memoryDescriptor);
    for (const { device, journal } of held?.devices.values() ?? []) {
      this.#descriptors.push(device, ...(journal === undefined ? [] : [journal]));
    }
    this.warnings.push(...(held?.warnings ?? []));
  }

  get allocs(): AllocsConnection | undefined {
    return this.#allocs;
  }

  /** Attaches to the holder, or starts one. Throws ALREADY_RUNNING if another daemon serves this tree. */
  static async attach(options: DaemonOptions, log: Log): Promise<TreeMount> {
    const socketPath = holderSocketPath(options.runtimeDir);
    const running = HolderClient.connect(socketPath);
    if (running !== undefined) {
      const { holderPid } = running.attach();
      const held = await readHeldTree(running, options);
      if (held !== undefined) return new TreeMount(options, log, running, holderPid, held);
      log.warn({ holderPid }, 'the tree of an earlier daemon cannot be taken over: it is unmounted');
      running.abort();
      running.close();
    }
    await clearDeadMounts(options.mountPoint, log);
    await startHolder({
      programPath: holderProgramPath(),
      socketPath,
      timeoutSeconds: options.takeoverTimeoutSeconds,
      mountPoint: mayMount() ? options.mountPoint : projectionsPath(options.mountPoint),
      log,
    });
    const holder = HolderClient.connect(socketPath);
    if (holder === undefined) throw new DunnageError('INTERNAL', 'the holder ended right after its start');
    const tree = new TreeMount(options, log, holder, holder.attach().holderPid, undefined);
    const record: TreeRecord = {
      stateDir: options.stateDir,
      mountPoint: options.mountPoint,
      connections: mayMount() ? ['root', 'projections', 'audited'] : ['projections'],
      memoryBytes: TAKEOVER_MEMORY_BYTES,
    };
    holder.put(MEMORY_ENTRY, Buffer.from(JSON.stringify(record)), tree.memoryDescriptor);
    return tree;
  }

  /** Brings the tree up on the FUSE thread. */
  async serve(thread: FuseThread, onEnded: (name: ConnectionName, errno: number) => void): Promise<void> {
    const onEnd = (errno: number): void => onEnded('allocs', errno);
    if (this.held !== undefined) {
      for (const [name, held] of this.held.devices) {
        const journal = held.journal ?? this.#replaceJournal(name, held.record);
        this.records.set(name, await thread.serve(name, held.device, held.record, journal));
      }
      thread.resend();
      // An earlier version may have had none, and the kernel remembers that for ever.
      if (this.held.devices.has('root')) await thread.showName(DEVICES_DIRECTORY);
      await this.#resumeAllocs(thread, this.held, onEnd);
      return;
    }
    try {
      await this.#mount(thread);
      if (mayMount()) await this.#mountAllocs(onEnd);
    } catch (error) {
      await this.unmount().catch((cause: unknown) => {
        this.#log.error({ error: String(cause) }, 'what was mounted could not be unmounted');
      });
      throw error;
    }
  }

  /** Projections do not need it: where it cannot be had, that is said, and the rest of the tree is served. */
  async #mountAllocs(onEnd: (errno: number) => void): Promise<void> {
    let isGivenUp = false;
    const options = this.#allocsOptions((errno) => {
      if (!isGivenUp) onEnd(errno);
    });
    try {
      this.#served(await AllocsConnection.mount(options));
    } catch (error) {
      isGivenUp = true;
      await unmountAllBeneath(allocsPath(this.#options.mountPoint), this.#log);
      const { message } = fromSystemError(error, 'cannot mount allocs/');
      this.warnings.push(`there is no allocs/: ${message}`);
      this.#log.error({ reason: message }, 'there is no allocs/');
    }
  }

  async #resumeAllocs(thread: FuseThread, held: HeldTree, onEnd: (errno: number) => void): Promise<void> {
    if (held.allocs !== undefined) {
      try {
        this.#served(AllocsConnection.resume(this.#allocsOptions(onEnd), held.allocs));
        return;
      } catch (error) {
        const { message } = fromSystemError(error, 'cannot be served');
        this.#log.error(
          { reason: message },
          'the allocs of the earlier daemon cannot be taken over: they are mounted anew',
        );
      }
    }
    if (!held.devices.has('root')) return;
    // The kernel may remember that there is no such name; and a daemon that died just after mounting left a dead mount.
    await thread.showName(basename(allocsPath(this.#options.mountPoint)));
    await unmountAllBeneath(allocsPath(this.#options.mountPoint), this.#log);
    await this.#mountAllocs(onEnd);
  }

  #allocsOptions(onEnd: (errno: number) => void): AllocsConnectionOptions {
    return { places: allocPlaces(this.#options), holder: this.#holder, log: this.#log, onEnd };
  }

  #served(allocs: AllocsConnection): void {
    this.#allocs = allocs;
    this.records.set('allocs', allocs.record);
  }

  /** The earlier daemon kept a journal of another layout, or none. */
  #replaceJournal(name: ServedConnection, record: NegotiatedRecord): number | undefined {
    if (canResend(record)) return undefined;
    this.warnings.push(
      `the earlier daemon was of another version: a call on ${name} that it left unanswered hangs until dunnage down`,
    );
    const journal = this.#makeJournal(name);
    this.#holder.put(journalEntry(name), Buffer.from(JOURNAL_LAYOUT), journal);
    return journal;
  }

  #makeJournal(name: ServedConnection): number {
    const journal = loadNative().createMemfd(`dunnage-${journalEntry(name)}`, JOURNAL_BYTES);
    this.#descriptors.push(journal);
    return journal;
  }

  async #mount(thread: FuseThread): Promise<void> {
    const { mountPoint } = this.#options;
    const projections = projectionsPath(mountPoint);
    if (!mayMount()) {
      await prepareMountPoint(projections);
      await this.#mountOne(thread, 'projections', projections);
      this.warnings.push('mounted without privileges: the tree is not shared with mount namespaces that exist already');
      this.warnings.push(
        'mounted without privileges: there is no live/ and no allocs/; run the daemon as root for them',
      );
      return;
    }
    if (!canMakeViewsWritable()) {
      this.warnings.push(
        'this kernel (before Linux 5.12) cannot make the tree read-only for others: bind it read-only into containers',
      );
    }
    await prepareMountPoint(mountPoint);
    await this.#mountOne(thread, 'root', mountPoint);
    loadNative().setPropagation(mountPoint, 'shared', false);
    await this.#mountOne(thread, 'projections', projections);
    loadNative().setPropagation(projections, 'shared', false);
    const audited = auditedPath(mountPoint);
    await this.#mountOne(thread, 'audited', audited);
    // Its directories are mounted elsewhere, and are shared from there.
    loadNative().setPropagation(audited, 'private', false);
  }

  async #mountOne(thread: FuseThread, name: ServedConnection, target: string): Promise<void> {
    const { device } = await mountFuse({
      target,
      source: 'dunnage',
      subtype: 'dunnage',
      rootMode: 0o755,
      allowOther: true,
      // Binds and copies of the mount point inherit that; only the agent makes itself a writable view.
      readOnly: canMakeViewsWritable(),
    });
    this.#descriptors.push(device);
    // Whether it is needed is known only when the kernel has said what it can.
    const journal = this.#makeJournal(name);
    const record = await thread.serve(name, device, undefined, journal);
    if (!canResend(record)) this.#holder.put(journalEntry(name), Buffer.from(JOURNAL_LAYOUT), journal);
    this.#holder.put(name, encodeNegotiated(record), device);
    thread.kept(name);
    this.records.set(name, record);
    this.#log.info({ name, target, protocol: `${record.major}.${record.minor}` }, 'mounted');
  }

  /**
   * Unmounts everything and ends the holder: what is mounted in the tree too, and the memory that its secrets were in. What is
   * busy is detached: it disappears here, and ends for those who still use it when the daemon does.
   */
  async unmount(): Promise<void> {
    for (const place of [this.#options.mountPoint, ...memoryPlaces(this.#options.runtimeDir)]) {
      await unmountAllBeneath(place, this.#log);
    }
    this.#release();
  }

  #release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#holder.release();
  }

  /** Gives up this process's part, when nothing is served any more: what is still mounted is the holder's alone. */
  leave(): void {
    // A start that failed before anything was mounted leaves nothing to hold.
    if (this.held === undefined && this.records.size === 0) this.#release();
    this.#holder.close();
    for (const descriptor of this.#descriptors.splice(0)) loadNative().closeDescriptor(descriptor);
  }
}

/** mount(2) is root's; a root without that capability gets the error of mount(2). */
function mayMount(): boolean {
  return process.geteuid?.() === 0;
}

function canResend(record: NegotiatedRecord): boolean {
  return record.features.includes('HAS_RESEND');
}

async function readHeldTree(holder: HolderClient, options: DaemonOptions): Promise<HeldTree | undefined> {
  const entries = new Map(holder.entries().map((entry) => [entry.name, entry]));
  const memory = entries.get(MEMORY_ENTRY);
  if (memory === undefined) return undefined;
  const tree = JSON.parse(Buffer.from(memory.record).toString()) as TreeRecord;
  if (tree.stateDir !== options.stateDir || tree.mountPoint !== options.mountPoint) {
    throw new DunnageError(
      'ALREADY_RUNNING',
      `an earlier daemon's tree of ${tree.stateDir} is still mounted at ${tree.mountPoint}`,
      {
        remedy: `start with --state-dir ${tree.stateDir} --mount ${tree.mountPoint} to take it over, or end it with: dunnage down`,
      },
    );
  }
  const { tree: allocTree } = allocPlaces(options);
  if (tree.memoryBytes !== TAKEOVER_MEMORY_BYTES || !(await isMounted(options.mountPoint))) return undefined;
  const warnings: string[] = [];
  const allocs = heldAllocs(entries, allocTree, (reason) => warnings.push(reason));
  const devices = new Map<ServedConnection, HeldConnection>();
  for (const name of tree.connections) {
    const entry = entries.get(name);
    if (entry === undefined) return undefined;
    const journal = entries.get(journalEntry(name));
    const isReadable = journal !== undefined && Buffer.from(journal.record).toString() === JOURNAL_LAYOUT;
    if (journal !== undefined && !isReadable) loadNative().closeDescriptor(journal.descriptor);
    devices.set(name, {
      device: entry.descriptor,
      record: decodeNegotiated(entry.record),
      journal: isReadable ? journal.descriptor : undefined,
    });
  }
  return { devices, memoryDescriptor: memory.descriptor, allocs, warnings };
}

export async function prepareMountPoint(mountPoint: string): Promise<void> {
  try {
    makeDirectoriesSync(mountPoint, 0o755);
    const names = await readdir(mountPoint);
    if (names.length === 0) return;
  } catch (error) {
    throw fromSystemError(error, `cannot use the mount point ${mountPoint}`);
  }
  throw new DunnageError('NOT_EMPTY', `the mount point ${mountPoint} is not empty`, {
    remedy: 'choose an empty directory with --mount, or empty this one: the mount would hide what is in it',
  });
}
