/**
 * The connection at `<mount>/allocs`: mounted and answered here (INIT only), served by native threads. Like the others it
 * outlives the daemon: the holder keeps its device with the INIT record, and the memory with what the kernel knows of it.
 *
 * A daemon of an earlier version may have left a tree without it; then it is mounted into that tree.
 */
import { closeSync, openSync } from 'node:fs';
import type { Log } from '../../base/log.ts';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import type { HolderClient, HolderEntry } from '../../fuse/holder-client.ts';
import { decodeNegotiated, encodeNegotiated, type NegotiatedRecord } from '../../fuse/init.ts';
import { LoopbackConnection, loopbackMemoryBytes } from '../../fuse/loopback-connection.ts';
import { mountFuse } from '../../mounts/fuse-mount.ts';
import { loadNative } from '../../native/load.ts';
import { READ_DIRECTORY } from '../../native/open-flags.ts';
import type { ConnectionStatistics } from '../fuse-messages.ts';
import { type AllocPlaces, makeAllocPlaces } from './alloc-places.ts';

const DEVICE_ENTRY = 'allocs';
const MEMORY_ENTRY = 'allocs-memory';

/** What a takeover must agree on: node ids mean something in one directory only. */
interface MemoryRecord {
  readonly tree: string;
  readonly memoryBytes: number;
}

/** What an earlier daemon left of it. */
export interface HeldAllocs {
  readonly device: number;
  readonly memory: number;
  readonly record: NegotiatedRecord;
}

export interface AllocsConnectionOptions {
  readonly places: AllocPlaces;
  readonly holder: Pick<HolderClient, 'put'>;
  readonly log: Log;
  readonly onEnd: (errno: number) => void;
}

export class AllocsConnection {
  readonly record: NegotiatedRecord;
  readonly loopback: LoopbackConnection;
  readonly #descriptors: readonly number[];

  private constructor(loopback: LoopbackConnection, record: NegotiatedRecord, descriptors: readonly number[]) {
    this.loopback = loopback;
    this.record = record;
    this.#descriptors = descriptors;
  }

  /** The mount point exists and nothing is mounted on it. Nothing is left mounted if it fails: that is the caller's. */
  static async mount(options: AllocsConnectionOptions): Promise<AllocsConnection> {
    const { places, holder, log } = options;
    makeAllocPlaces(places);
    const memory = loadNative().createMemfd('dunnage-allocs', loopbackMemoryBytes());
    const { device } = await mountFuse({
      target: places.visible,
      ...{ source: 'dunnage', subtype: 'dunnage', rootMode: 0o755, allowOther: true },
    });
    let kept: (record: NegotiatedRecord) => void = () => undefined;
    const agreed = new Promise<NegotiatedRecord>((resolve) => {
      kept = resolve;
    });
    const opened = openPlaces(places);
    const loopback = new LoopbackConnection({
      ...{ name: 'allocs', device, memory, log, ...opened },
      onInit: (record) => {
        const about: MemoryRecord = { tree: places.tree, memoryBytes: loopbackMemoryBytes() };
        holder.put(MEMORY_ENTRY, Buffer.from(JSON.stringify(about)), memory);
        holder.put(DEVICE_ENTRY, encodeNegotiated(record), device);
        kept(record);
      },
      onEnd: (errno) => options.onEnd(errno),
    });
    loopback.start();
    const record = await agreed;
    await loopback.served();
    loadNative().setPropagation(places.visible, 'shared', false);
    log.info({ name: 'allocs', target: places.visible, tree: places.tree }, 'mounted');
    return new AllocsConnection(loopback, record, [device, memory, ...Object.values(opened)]);
  }

  /** Goes on with what an earlier daemon served. */
  static resume(options: AllocsConnectionOptions, { device, memory, record }: HeldAllocs): AllocsConnection {
    const { places, log } = options;
    makeAllocPlaces(places);
    const opened = openPlaces(places);
    const loopback = new LoopbackConnection({
      ...{ name: 'allocs', device, memory, log, ...opened },
      resume: record,
      onInit: () => undefined,
      onEnd: (errno) => options.onEnd(errno),
    });
    loopback.start();
    return new AllocsConnection(loopback, record, [device, memory, ...Object.values(opened)]);
  }

  statistics(): ConnectionStatistics {
    const { requests, unanswered, failedNotifications } = this.loopback.statistics();
    return { name: 'allocs', requests, unanswered, failedNotifications };
  }

  /** Stops serving; the connection stays with the holder. Once. */
  async close(): Promise<void> {
    await this.loopback.close();
    for (const descriptor of this.#descriptors) closeSync(descriptor);
  }
}

/**
 * What the holder has of it: undefined if nothing, or nothing that this version can go on with (then its descriptors are closed).
 * @throws DunnageError ALREADY_RUNNING if it shows another directory
 */
export function heldAllocs(
  entries: ReadonlyMap<string, HolderEntry>,
  tree: string,
  onUnusable: (reason: string) => void,
): HeldAllocs | undefined {
  const [device, memory] = [entries.get(DEVICE_ENTRY), entries.get(MEMORY_ENTRY)];
  if (device === undefined || memory === undefined) return undefined;
  const about = JSON.parse(Buffer.from(memory.record).toString()) as MemoryRecord;
  if (about.tree !== tree) {
    throw new DunnageError('ALREADY_RUNNING', `an earlier daemon's tree shows the allocs of ${about.tree}`, {
      remedy: `start with --alloc-dir ${about.tree.replace(/\/tree$/, '')} to take it over, or end it with: dunnage down`,
    });
  }
  if (about.memoryBytes === loopbackMemoryBytes()) {
    return { device: device.descriptor, memory: memory.descriptor, record: decodeNegotiated(device.record) };
  }
  for (const { descriptor } of [device, memory]) loadNative().closeDescriptor(descriptor);
  onUnusable(
    'the allocs of the earlier daemon, which was of another version, were mounted anew: open files there are lost',
  );
  return undefined;
}

function openPlaces({ tree, orphans }: AllocPlaces): { readonly root: number; readonly orphans: number } {
  const root = openDirectory(tree);
  return { root, orphans: openDirectory(orphans) };
}

function openDirectory(path: string): number {
  try {
    return openSync(path, READ_DIRECTORY);
  } catch (error) {
    throw fromSystemError(error, `cannot open ${path}`);
  }
}
