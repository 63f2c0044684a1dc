/**
 * Makes publications durable by short records (`Store.transactRecorded`).
 *
 *   staged    -> main thread: has a place for a record (`reserve`), which is begun while the names of the swap are made (`expect`)
 *   published -> FUSE thread: if the record is on disk when the rename comes, that is answered before the commit; main thread: `settle`
 *   given up  -> main thread: the record is void before anybody is told (`giveUp`)
 */
import type { Clock } from '../base/clock.ts';
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

/** The part of the main thread. */
export type ExpectedPublications = Pick<Publisher, 'reserve' | 'expect' | 'settle' | 'giveUp'>;

export class Publisher {
  readonly #options: PublisherOptions;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** The generation with a place for its record, if that can hold all that is published with it. */
  reserve(staged: StagedGeneration): StagedGeneration {
    const ahead = isSelfContained(staged) ? this.#options.store.reserveRecord() : undefined;
    return ahead === undefined ? staged : { ...staged, ahead };
  }

  /** The names of the generation are being made. */
  expect(staged: StagedGeneration): void {
    if (staged.ahead !== undefined) this.#options.store.beginRecord(staged.ahead, () => this.#encode(staged));
  }

  /** It was published. */
  settle({ ahead }: StagedGeneration): void {
    if (ahead !== undefined) this.#options.store.endRecord(ahead);
  }

  /** It will not be published. Resolves when also a power failure cannot do that any more. */
  async giveUp({ ahead }: StagedGeneration): Promise<void> {
    if (ahead !== undefined) await this.#options.store.voidRecord(ahead);
  }

  /** THE commit of a swap. Nobody may be told of it before `onDecided` is called or `durable` resolves, nor of its failure before `settled`. */
  publish(staged: StagedGeneration, onDecided?: () => void): Recorded<Publication> {
    const { store, catalog, blobs, clock } = this.#options;
    return store.transactRecorded(() => catalog.publishing(staged, blobs, clock.nowMs()), {
      record: () => this.#encode(staged),
      ahead: staged.ahead,
      onDecided,
    });
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
