/** Publishes again, when the store is opened, what a restart of the host has undone, or an earlier daemon has announced and did not live to commit. */
import type { Log } from '../base/log.ts';
import { BlobStore } from '../store/blob-store.ts';
import type { SealingKey } from '../store/sealing-key.ts';
import type { Redo } from '../store/store.ts';
import { Catalog } from './catalog.ts';
import { decodePublication } from './publication-record.ts';

export interface RedoOptions {
  readonly stateDir: string;
  readonly sealingKey: SealingKey;
  readonly log: Log;
}

/** For `Store.open`. */
export function redoPublications({ stateDir, sealingKey, log }: RedoOptions): Redo {
  return (store, record) => {
    const { staged, publishedAtMs } = decodePublication(record);
    const catalog = new Catalog(store);
    // There may be two records of it.
    if (catalog.wasPublished(staged.id)) return;
    catalog.publish(staged, new BlobStore({ store, stateDir, sealingKey, log }), publishedAtMs);
  };
}
