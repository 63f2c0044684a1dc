/**
 * Takes generations that the kernel has forgotten out of the store, and their content. Nobody waits for that, so it is done
 * in batches, one commit each: after every swap it would cost as much as the swap itself.
 */
import type { GenerationId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { Catalog } from './catalog.ts';
import type { GenerationChains } from './generation-chain.ts';

/** How long forgotten generations are collected before a batch is removed. */
const BATCH_MS = 500;
/** Generations removed in one transaction: a swap waits for the writer's lock meanwhile. */
const BATCH_GENERATIONS = 32;

export interface RemovalOptions {
  readonly catalog: Catalog;
  readonly blobs: BlobStore;
  readonly log: Log;
}

export class GenerationRemoval {
  readonly #options: RemovalOptions;
  readonly #forgotten = new Set<GenerationId>();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(options: RemovalOptions) {
    this.#options = options;
  }

  /** The kernel holds nothing of a dropped generation any more. */
  forgotten(id: GenerationId): void {
    this.#forgotten.add(id);
    this.#timer ??= setTimeout(() => void this.run(), BATCH_MS).unref();
  }

  /** Whether the generation only waits for its batch. */
  isForgotten(id: GenerationId): boolean {
    return this.#forgotten.has(id);
  }

  /**
   * Removes what was forgotten up to now. What cannot be removed (the disk is full) is logged and tried again with the next
   * batch: what is published can be served all the same.
   */
  async run(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#running !== undefined) await this.#running;
    this.#running = this.#remove().finally(() => {
      this.#running = undefined;
    });
    await this.#running;
  }

  async #remove(): Promise<void> {
    const { catalog, blobs, log } = this.#options;
    try {
      catalog.refresh();
      const chains: GenerationChains = new Map();
      while (this.#forgotten.size > 0) {
        const batch = [...this.#forgotten].slice(0, BATCH_GENERATIONS);
        removeBatch(this.#options, batch, chains);
        for (const id of batch) this.#forgotten.delete(id);
        await new Promise(setImmediate);
      }
      await blobs.collect();
    } catch (error) {
      log.error({ error: String(error) }, 'content of replaced generations could not be removed');
    }
  }

  /** What waits for its batch is left to the next start. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#running;
  }
}

/** One that is broken stays, and holds up no other. */
function removeBatch(
  { catalog, blobs, log }: RemovalOptions,
  ids: readonly GenerationId[],
  chains: GenerationChains,
): void {
  try {
    catalog.remove(ids, blobs, chains);
  } catch (error) {
    const isBroken = error instanceof DunnageError && (error.code === 'CORRUPT' || error.code === 'NOT_FOUND');
    if (!isBroken) throw error;
    // What was taken out of them is there still.
    chains.clear();
    if (ids.length > 1) {
      for (const id of ids) removeBatch({ catalog, blobs, log }, [id], new Map());
      return;
    }
    log.error(
      { generation: ids[0], error: error.message },
      'a replaced generation is damaged and stays; dunnage fsck --repair removes it',
    );
  }
}
