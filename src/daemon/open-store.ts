/** Metadata, content and the key that seals it, opened for one daemon. */
import { limits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { redoPublications } from '../projection/redo-publications.ts';
import { BlobStore } from '../store/blob-store.ts';
import { newCommitChain } from '../store/commit-chain.ts';
import { dataFile } from '../store/environment.ts';
import { MappedMemory } from '../store/mapped-memory.ts';
import type { SealingKey } from '../store/sealing-key.ts';
import { Store } from '../store/store.ts';
import type { Cleanups } from './cleanups.ts';
import type { DaemonOptions } from './daemon-options.ts';
import { openSealingKey } from './sealing.ts';

export interface OpenStore {
  readonly sealingKey: SealingKey;
  /** Shared with the thread that opens the same store. */
  readonly commitChain: BigInt64Array;
  readonly store: Store;
  readonly blobs: BlobStore;
}

export async function openStore(options: DaemonOptions, log: Log, cleanups: Cleanups): Promise<OpenStore> {
  const { stateDir } = options;
  const sealingKey = openSealingKey(options);
  const commitChain = newCommitChain();
  const redo = redoPublications({ stateDir, sealingKey, log });
  const store = Store.open({ stateDir, log, commitChain, redo });
  cleanups.add(() => store.close());
  const mapped = new MappedMemory(dataFile(stateDir), log, limits.mappedMetadataBytesMax);
  cleanups.add(() => mapped.close());
  const blobs = new BlobStore({ store, stateDir, sealingKey, log });
  await blobs.sweep();
  return { sealingKey, commitChain, store, blobs };
}
