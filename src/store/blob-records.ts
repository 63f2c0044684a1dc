/**
 * The index of blobs: for each digest how many refer to it and where the bytes are, in tables of the store. Small
 * content is a row of its own beside the record, so that counting a reference never rewrites content.
 *
 * A file whose last reference went is listed as garbage by the same transaction; each listing has a random stamp, by
 * which the collector knows that nothing happened to the blob since it looked.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { DunnageError } from '../errors/dunnage-error.ts';
import { bytesValue, type Codec, checkedValue, digestKey, jsonValue, stringKey } from './codecs.ts';
import type { Digest } from './digest.ts';
import type { Store } from './store.ts';
import type { Table } from './table.ts';

export type Protection = 'plain' | 'secret';

export interface BlobRecord {
  readonly references: number;
  /** Size of the plain content. */
  readonly sizeBytes: number;
  readonly protection: Protection;
  /** Fingerprint of the sealing key; '' for plain content. */
  readonly keyId: string;
  readonly place: 'inline' | 'file';
  /** The bytes were found damaged: reads fail until somebody stores the content again. */
  readonly damaged?: true;
}

export interface BlobStatistics {
  readonly blobs: number;
  /** Plain bytes of all blobs, each counted once. */
  readonly sizeBytes: number;
}

const FLAG_SECRET = 1;
const FLAG_FILE = 2;
const FLAG_DAMAGED = 4;
const FLAGS_ALL = FLAG_SECRET | FLAG_FILE | FLAG_DAMAGED;
const HEAD_BYTES = 11;

/** flags u8, references u32, size u48, key id (secret only). */
export const blobRecordValue: Codec<BlobRecord> = {
  encode(record) {
    const keyId = Buffer.from(record.keyId, 'hex');
    const bytes = Buffer.alloc(HEAD_BYTES + keyId.length);
    bytes.writeUInt8(flagsOf(record), 0);
    bytes.writeUInt32BE(record.references, 1);
    bytes.writeUIntBE(record.sizeBytes, 5, 6);
    keyId.copy(bytes, HEAD_BYTES);
    return bytes;
  },
  decode(encoded) {
    const bytes = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength);
    const flags = bytes.readUInt8(0);
    if ((flags & ~FLAGS_ALL) !== 0 || bytes.length < HEAD_BYTES) throw unreadable();
    return {
      references: bytes.readUInt32BE(1),
      sizeBytes: bytes.readUIntBE(5, 6),
      protection: (flags & FLAG_SECRET) === 0 ? 'plain' : 'secret',
      keyId: bytes.toString('hex', HEAD_BYTES),
      place: (flags & FLAG_FILE) === 0 ? 'inline' : 'file',
      ...((flags & FLAG_DAMAGED) === 0 ? {} : { damaged: true }),
    };
  },
};

function flagsOf({ protection, place, damaged }: BlobRecord): number {
  const secret = protection === 'secret' ? FLAG_SECRET : 0;
  return secret | (place === 'file' ? FLAG_FILE : 0) | (damaged === true ? FLAG_DAMAGED : 0);
}

function unreadable(): DunnageError {
  return new DunnageError('CORRUPT', 'a record of the content index cannot be read', {
    remedy: 'End the daemon with: dunnage down, then run: dunnage fsck --repair',
  });
}

/** Names of the tables, for who checks them. */
export const BLOB_TABLES = {
  records: 'blobs',
  inline: 'blob-content',
  garbage: 'blob-garbage',
  statistics: 'blob-statistics',
} as const;

const STAMP_BYTES = 8;
export const TOTAL = 'total';
const NOTHING: BlobStatistics = { blobs: 0, sizeBytes: 0 };

export function isStatistics(value: BlobStatistics): boolean {
  return Number.isSafeInteger(value?.blobs) && Number.isSafeInteger(value.sizeBytes);
}

export class BlobRecords {
  readonly #records: Table<Digest, BlobRecord>;
  readonly #inline: Table<Digest, Uint8Array>;
  readonly #garbage: Table<Digest, Uint8Array>;
  readonly #statistics: Table<string, BlobStatistics>;

  constructor(store: Store) {
    this.#records = store.table(BLOB_TABLES.records, digestKey, blobRecordValue);
    this.#inline = store.table(BLOB_TABLES.inline, digestKey, bytesValue);
    this.#garbage = store.table(BLOB_TABLES.garbage, digestKey, bytesValue);
    this.#statistics = store.table(
      BLOB_TABLES.statistics,
      stringKey,
      checkedValue(jsonValue<BlobStatistics>(), isStatistics),
    );
  }

  get(digest: Digest): BlobRecord | undefined {
    return this.#records.get(digest);
  }

  /** Whether there is a record, also one that cannot be read: its content is not for the collector. */
  has(digest: Digest): boolean {
    try {
      return this.#records.get(digest) !== undefined;
    } catch (error) {
      if (error instanceof DunnageError && error.code === 'CORRUPT') return true;
      throw error;
    }
  }

  /** Stored form of inline content. */
  content(digest: Digest): Uint8Array | undefined {
    return this.#inline.get(digest);
  }

  /** One more reference to a known blob. Preconditions: in a transaction. */
  countUp(digest: Digest, record: BlobRecord): void {
    this.#records.put(digest, { ...record, references: record.references + 1 });
  }

  /** One more reference to damaged content that is stored anew: it is whole again. Preconditions: in a transaction. */
  restore(digest: Digest, references: number, record: Omit<BlobRecord, 'references'>, inline?: Uint8Array): void {
    this.#records.put(digest, { ...record, references: references + 1 });
    if (inline !== undefined) this.#inline.put(digest, inline);
  }

  /** Reads of it fail from now on; false if there is no such blob. Preconditions: in a transaction. */
  markDamaged(digest: Digest): boolean {
    const record = this.#records.get(digest);
    if (record === undefined) return false;
    this.#records.put(digest, { ...record, damaged: true });
    return true;
  }

  /** A new blob with one reference. Preconditions: in a transaction. */
  insert(digest: Digest, record: Omit<BlobRecord, 'references'>, inline: Uint8Array | undefined): void {
    assert.equal(record.place === 'inline', inline !== undefined);
    this.#records.put(digest, { ...record, references: 1 });
    // Only files are collected.
    if (inline !== undefined) this.#inline.put(digest, inline);
    else this.#garbage.remove(digest);
    this.#count(1, record.sizeBytes);
  }

  /** One reference less; the last one takes record and inline content along. Preconditions: in a transaction. */
  countDown(digest: Digest, record: BlobRecord): void {
    if (record.references > 1) {
      this.#records.put(digest, { ...record, references: record.references - 1 });
      return;
    }
    this.#records.remove(digest);
    if (record.place === 'inline') this.#inline.remove(digest);
    else this.markGarbage(digest);
    this.#count(-1, -record.sizeBytes);
  }

  /** Preconditions: in a transaction. */
  markGarbage(digest: Digest): void {
    this.#garbage.put(digest, randomBytes(STAMP_BYTES));
  }

  /** Files nobody refers to, with their stamps. */
  garbage(): readonly { readonly digest: Digest; readonly stamp: Uint8Array }[] {
    return [...this.#garbage.range({})].map(({ key, value }) => ({ digest: key, stamp: value }));
  }

  /** Takes the digest off the list if the stamp is still the same. Preconditions: in a transaction. */
  removeGarbage(digest: Digest, stamp: Uint8Array): boolean {
    const present = this.#garbage.get(digest);
    return present !== undefined && Buffer.from(stamp).equals(present) && this.#garbage.remove(digest);
  }

  /** Totals that cannot be read begin anew: they are for people, and fsck counts again. */
  statistics(): BlobStatistics {
    try {
      return this.#statistics.get(TOTAL) ?? NOTHING;
    } catch (error) {
      if (error instanceof DunnageError && error.code === 'CORRUPT') return NOTHING;
      throw error;
    }
  }

  #count(blobs: number, sizeBytes: number): void {
    const before = this.statistics();
    this.#statistics.put(TOTAL, { blobs: before.blobs + blobs, sizeBytes: before.sizeBytes + sizeBytes });
  }
}
