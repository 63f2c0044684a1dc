/**
 * Opens the state directory of a daemon that does not run, for as long as something is checked or mended in it. Holds the
 * daemon's lock meanwhile, so that none starts.
 */
import { randomBytes } from 'node:crypto';
import { systemClock } from '../base/clock.ts';
import type { GenerationId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import { HolderClient } from '../fuse/holder-client.ts';
import { Catalog } from '../projection/catalog.ts';
import { GenerationRemoval } from '../projection/generation-removal.ts';
import { redoPublications } from '../projection/redo-publications.ts';
import { BlobStore } from '../store/blob-store.ts';
import { SealingKey } from '../store/sealing-key.ts';
import { Store } from '../store/store.ts';
import { DaemonLock } from './daemon-lock.ts';
import type { GarbagePort } from './garbage.ts';
import { Maintenance } from './maintenance.ts';
import { holderSocketPath, sealingKeyPath } from './runtime-files.ts';

export interface OfflineOptions {
  readonly stateDir: string;
  /** Where the key of Secrets is, and the holder of a tree that still waits for its daemon; undefined if there is none. */
  readonly runtimeDir: string | undefined;
  readonly keyFile: string | undefined;
  /** Without it nothing in the state directory changes but the lock. */
  readonly write: boolean;
  readonly log: Log;
}

/** Throws NOT_FOUND (no state there), ALREADY_RUNNING, BUSY (a tree waits for its daemon), and what the store throws. */
export async function withOfflineState<T>(
  options: OfflineOptions,
  work: (maintenance: Maintenance) => Promise<T>,
): Promise<T> {
  const { stateDir, write, log } = options;
  // Refuses a directory without metadata before anything is made in it.
  Store.requireThere(stateDir);
  const lock = DaemonLock.acquire(stateDir, 'state directory');
  try {
    if (write) refuseWaitingTree(options);
    const key = findKey(options);
    const sealingKey = key ?? SealingKey.fromBytes(randomBytes(32));
    const redo = redoPublications({ stateDir, sealingKey, log });
    const store = Store.open({ stateDir, log, readOnly: !write, redo });
    const blobs = write ? new BlobStore({ store, stateDir, sealingKey, log }) : undefined;
    try {
      const garbage = garbagePort(store, blobs, log);
      const serving = undefined;
      return await work(new Maintenance({ store, stateDir, key, clock: systemClock, serving, garbage }));
    } finally {
      await blobs?.close();
      await store.close();
    }
  } finally {
    lock.release();
  }
}

/** The kernel still holds on to what the catalog says. */
function refuseWaitingTree({ runtimeDir }: OfflineOptions): void {
  const holder = runtimeDir === undefined ? undefined : HolderClient.connect(holderSocketPath(runtimeDir));
  if (holder === undefined) return;
  holder.close();
  throw new DunnageError('BUSY', `a tree of ${runtimeDir} is still mounted and waits for its daemon`, {
    remedy: 'unmount it with: dunnage down, or start the daemon with: dunnage up --detach; then repeat this',
  });
}

/** A key that was made by the daemon may be gone; one that somebody names must be there. */
function findKey({ keyFile, runtimeDir }: OfflineOptions): SealingKey | undefined {
  if (keyFile !== undefined) return SealingKey.load(keyFile);
  if (runtimeDir === undefined) return undefined;
  try {
    return SealingKey.load(sealingKeyPath(runtimeDir));
  } catch (error) {
    if (error instanceof DunnageError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

/** Without a daemon nobody holds a dropped generation. */
function garbagePort(store: Store, blobs: BlobStore | undefined, log: Log): GarbagePort {
  return {
    holders: () => () => undefined,
    async remove(ids: readonly GenerationId[]): Promise<readonly GenerationId[]> {
      if (blobs === undefined) return ids;
      const catalog = new Catalog(store);
      const removal = new GenerationRemoval({ catalog, blobs, log });
      for (const id of ids) removal.forgotten(id);
      await removal.run();
      catalog.refresh();
      return ids.filter((id) => catalog.isDropped(id));
    },
  };
}
