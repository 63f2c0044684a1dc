/** Publishes again, from their records, generations that were published before their commit was safe or made. */
import type { GenerationId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { BlobStore } from '../store/blob-store.ts';
import type { SealingKey } from '../store/sealing-key.ts';
import type { Redo, Store } from '../store/store.ts';
import { Catalog } from './catalog.ts';
import type { PendingName } from './pending-table.ts';
import { decodePublication, type PublicationRecord } from './publication-record.ts';

export interface RedoOptions {
  readonly stateDir: string;
  readonly sealingKey: SealingKey;
  readonly log: Log;
}

/** Publishes again what a restart of the host has undone, for `Store.open`. */
export function redoPublications({ stateDir, sealingKey, log }: RedoOptions): Redo {
  return (store, record) => {
    const { staged, publishedAtMs } = decodePublication(record);
    const catalog = new Catalog(store);
    // A record that was begun ahead may be there beside that of the commit.
    if (catalog.wasPublished(staged.id)) return;
    catalog.publish(staged, new BlobStore({ store, stateDir, sealingKey, log }), publishedAtMs);
  };
}

export interface DecidedOptions {
  readonly store: Store;
  readonly catalog: Catalog;
  readonly blobs: BlobStore;
  readonly log: Log;
}

/**
 * A takeover: publishes generations of which the kernel was told by a daemon that did not live to commit them. Durable when this returns.
 * Preconditions: nobody else publishes yet.
 */
export function publishDecided(names: Iterable<PendingName>, { store, catalog, blobs, log }: DecidedOptions): void {
  catalog.refresh();
  for (const { id, record } of names) {
    if (record === undefined || catalog.wasPublished(id)) continue;
    const publication = decidedPublication(store, id, record);
    if (publication === undefined) {
      log.error({ generation: id }, 'the content of a generation that readers may have seen is lost');
      continue;
    }
    const { staged, publishedAtMs } = publication;
    store.transactDurableSync(() => catalog.publishing(staged, blobs, publishedAtMs));
    log.info({ generation: id }, 'published what an earlier daemon had announced');
  }
}

function decidedPublication(store: Store, id: GenerationId, record: number): PublicationRecord | undefined {
  const bytes = store.readRecord(BigInt(record));
  const publication = bytes && decodePublication(bytes);
  return publication?.staged.id === id ? publication : undefined;
}
