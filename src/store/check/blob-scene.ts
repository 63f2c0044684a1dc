/** What every check of the content store works on: its tables, its files, who refers to content, and the key if it is there. */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { blobOfName, blobPath } from '../blob-files.ts';
import { BLOB_TABLES, type BlobRecord, type BlobStatistics, blobRecordValue, isStatistics } from '../blob-records.ts';
import { bytesValue, digestKey, jsonValue, stringKey } from '../codecs.ts';
import type { Digest } from '../digest.ts';
import type { SealingKey } from '../sealing-key.ts';
import type { Store } from '../store.ts';
import type { References } from './references.ts';
import { TolerantTable } from './tolerant-table.ts';
import type { Pace } from './verify-content.ts';

export interface BlobSceneOptions {
  readonly store: Store;
  readonly stateDir: string;
  /** Undefined: sealed content is checked by its length only. */
  readonly key: SealingKey | undefined;
  /** Counted anew at each call. */
  readonly references: () => References;
  /** Content that is being stored right now, which has no record yet. */
  readonly isInUse: (digest: Digest) => boolean;
  /** Temporary files that are younger belong to a write that is under way; 0 if there can be none. */
  readonly temporariesMinAgeMs: number;
  readonly nowMs: () => number;
  readonly pace: Pace;
}

export interface ContentFile {
  readonly digest: Digest;
  readonly path: string;
}

export interface TemporaryFile {
  readonly path: string;
  readonly sizeBytes: number;
}

export class BlobScene {
  readonly options: BlobSceneOptions;
  readonly records: TolerantTable<Digest, BlobRecord>;
  readonly inline: TolerantTable<Digest, Uint8Array>;
  readonly garbage: TolerantTable<Digest, Uint8Array>;
  readonly statistics: TolerantTable<string, BlobStatistics>;

  /** Preconditions: not in a transaction. */
  constructor(options: BlobSceneOptions) {
    const { store } = options;
    this.options = options;
    this.records = new TolerantTable(store, { name: BLOB_TABLES.records, key: digestKey, value: blobRecordValue });
    this.inline = new TolerantTable(store, { name: BLOB_TABLES.inline, key: digestKey, value: bytesValue });
    this.garbage = new TolerantTable(store, { name: BLOB_TABLES.garbage, key: digestKey, value: bytesValue });
    this.statistics = new TolerantTable(store, {
      name: BLOB_TABLES.statistics,
      key: stringKey,
      value: jsonValue<BlobStatistics>(),
      accept: isStatistics,
    });
  }

  path(digest: Digest): string {
    return blobPath(this.options.stateDir, digest);
  }

  /** One atomic change. */
  change(action: () => void): void {
    this.options.store.transactBuffered(action);
  }

  /** Every content file, folder by folder. */
  async *files(): AsyncGenerator<ContentFile> {
    const root = join(this.options.stateDir, 'blobs');
    for (const shard of await namesIn(root)) {
      if (!/^[0-9a-f]{2}$/.test(shard)) continue;
      for (const name of await namesIn(join(root, shard))) {
        const digest = blobOfName(shard, name);
        if (digest !== undefined) yield { digest, path: join(root, shard, name) };
      }
    }
  }

  /** Unfinished content files that no write works on. */
  async *temporaries(): AsyncGenerator<TemporaryFile> {
    const directory = join(this.options.stateDir, 'blobs', 'tmp');
    const { nowMs, temporariesMinAgeMs } = this.options;
    for (const name of await namesIn(directory)) {
      const path = join(directory, name);
      const status = await lstat(path).catch(unlessGone);
      if (status === undefined || nowMs() - status.mtimeMs < temporariesMinAgeMs) continue;
      yield { path, sizeBytes: status.size };
    }
  }
}

async function namesIn(directory: string): Promise<readonly string[]> {
  return (await readdir(directory).catch(unlessGone)) ?? [];
}

function unlessGone(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
  throw error;
}
