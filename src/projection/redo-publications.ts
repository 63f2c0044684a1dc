/** Publishes again, when the store is opened, what a restart of the host has undone. */
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

/** Publishes again what a restart of the host has undone, for `Store.open`. */
export function redoPublications({ stateDir, sealingKey, log }: RedoOptions): Redo {
  return (store, record) => {
    const { staged, publishedAtMs } = decodePublication(record);
    new Catalog(store).publish(staged, new BlobStore({ store, stateDir, sealingKey, log }), publishedAtMs);
  };
}
