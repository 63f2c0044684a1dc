/**
 * Makes publications durable by short records (`Store.transactRecorded`).
 *
 *   staged -> its record is begun ahead (`expect`, main thread), while the names of the swap are made
 *          -> published (FUSE thread): decided as soon as the rename comes and the record is on disk; the commit follows
 *          -> given up (FUSE thread): the record is void before anybody is told
 */
import type { Clock } from '../base/clock.ts';
import type { GenerationId } from '../base/ids.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { Recorded, Store } from '../store/store.ts';
import type { Catalog, Publication } from './catalog.ts';
import { encodePublication } from './publication-record.ts';
import type { StagedGeneration } from './staged-generation.ts';

export interface PublisherOptions {
  readonly store: Store;
  readonly catalog: Catalog;
  readonly blobs: BlobStore;
  readonly clock: Clock;
}

export class Publisher {
  readonly #options: PublisherOptions;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** The names of a staged generation are being made: `publish` or `giveUp` follows there, and `settle` here after `publish`. */
  expect(staged: StagedGeneration): void {
    if (isSelfContained(staged)) this.#options.store.recordAhead(BigInt(staged.id), () => this.#encode(staged));
  }

  /** It was published. */
  settle(id: GenerationId): void {
    this.#options.store.endRecordAhead(BigInt(id));
  }

  /**
   * THE commit of a swap. Nobody may be told of it before `onDecided` is called or `durable` resolves, nor of its failure before `settled`.
   * `onDecided` is given the number by which `Store.readRecord` finds the record.
   */
  publish(staged: StagedGeneration, onDecided?: (record: bigint) => void): Recorded<Publication> {
    const { store, catalog, blobs, clock } = this.#options;
    return store.transactRecorded(() => catalog.publishing(staged, blobs, clock.nowMs()), {
      record: () => this.#encode(staged),
      ahead: BigInt(staged.id),
      ...(onDecided !== undefined && isSelfContained(staged) && { onDecided }),
    });
  }

  /** It will not be published. Resolves when also a power failure cannot do that any more. */
  async giveUp(id: GenerationId): Promise<void> {
    this.#options.store.giveUpRecord(BigInt(id));
    await this.settled();
  }

  /** Nothing that failed can be made good by a power failure any more. */
  settled(): Promise<void> {
    return this.#options.store.recordsSettled();
  }

  #encode(staged: StagedGeneration): Buffer {
    const { blobs, clock } = this.#options;
    return encodePublication({ staged, publishedAtMs: clock.nowMs() }, blobs.keyId);
  }
}

/** All its content is in the record: it needs no file, which a start would take for a leftover. */
function isSelfContained({ isStored, blobs }: StagedGeneration): boolean {
  return !isStored && blobs.every(({ inline }) => inline !== undefined);
}
