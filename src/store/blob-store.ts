/**
 * Content of files, stored once however many refer to it.
 *
 * The life of a blob: `prepare` (bytes are safe, nobody can see them) -> `retain` in the transaction that writes the
 * reference -> `release` in the transaction that removes it -> `collect` some time after. What is prepared and not
 * yet retained is pinned in memory: the collector leaves it alone; after a crash `sweep` removes it.
 *
 * Order that keeps every record's content on disk, also when power fails: a file is flushed before its record can be
 * committed, and unlinked only after the flush of the commit that removed its record.
 *
 * Any thread may read. One instance in one process prepares, abandons, collects and sweeps: pins are known to it alone.
 */
import assert from 'node:assert/strict';
import { limits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import { BlobFiles, type WriteStep } from './blob-files.ts';
import { BlobPins } from './blob-pins.ts';
import { type BlobRecord, BlobRecords, type BlobStatistics, type Protection } from './blob-records.ts';
import { type Digest, plainDigest } from './digest.ts';
import { receiveContent } from './receive-content.ts';
import { seal, sealedSizeBytes, sealedSpan, unseal } from './sealed-content.ts';
import type { SealingKey } from './sealing-key.ts';
import type { Store } from './store.ts';

export type { BlobStatistics, Protection } from './blob-records.ts';

export interface PreparedBlob {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly protection: Protection;
  /** Stored form of small content; undefined if it is a file or was known already. */
  readonly inline: Uint8Array | undefined;
  /** The key that a secret was sealed with, if that is not the present one. */
  readonly keyId?: string;
}

export interface BlobStoreOptions {
  readonly store: Store;
  readonly stateDir: string;
  readonly sealingKey: SealingKey;
  readonly log: Log;
  /** Called at each step of writing a file; for tests that end the process there. */
  readonly onStep?: (step: WriteStep) => void;
}

/** Files looked at under the writer's lock in one go. */
const COLLECT_BATCH = 64;

export class BlobStore {
  readonly #store: Store;
  readonly #records: BlobRecords;
  readonly #files: BlobFiles;
  readonly #key: SealingKey;
  readonly #log: Log;
  readonly #pins = new BlobPins();
  #onReplaced: (digest: Digest) => void = () => undefined;
  /** Prepared without the bytes: they were there. */
  readonly #borrowed = new WeakSet<PreparedBlob>();
  readonly #writes = new Map<string, Promise<void>>();

  constructor(options: BlobStoreOptions) {
    this.#store = options.store;
    this.#records = new BlobRecords(options.store);
    this.#files = new BlobFiles(options.stateDir, options.onStep ?? (() => undefined));
    this.#key = options.sealingKey;
    this.#log = options.log;
  }

  /** Of the key that content is sealed with now. */
  get keyId(): string {
    return this.#key.id;
  }

  digestOf(data: Uint8Array, protection: Protection): Digest {
    return protection === 'secret' ? this.#key.digestOf(data) : plainDigest(data);
  }

  /**
   * Makes the content safe on disk, invisible until retained. `data` must not change before it resolves.
   * `known` is what `digestOf` said of the same data. Throws NO_SPACE, IO. The caller retains or abandons the result.
   */
  async prepare(data: Uint8Array, protection: Protection, known?: Digest): Promise<PreparedBlob> {
    const digest = known ?? this.digestOf(data, protection);
    const isSmall = data.length <= limits.inlineBlobBytesMax;
    const inline = isSmall ? this.#storedForm(digest, data, protection) : undefined;
    const blob = this.#pinned({ digest, sizeBytes: data.length, protection, inline });
    if (isSmall) return blob;
    try {
      await this.#ensureFile(digest, data, protection);
    } catch (error) {
      this.abandon(blob);
      throw error;
    }
    return blob;
  }

  /**
   * `prepare` for content of any length that arrives in chunks; a chunk is asked for when the one before is written. What
   * `chunks` throws is thrown on. Throws NO_SPACE, IO. If it fails nothing is left behind.
   */
  async prepareStream(chunks: AsyncIterable<Uint8Array>, protection: Protection): Promise<PreparedBlob> {
    const place = { files: this.#files, sealingKey: this.#key, protection };
    const received = await receiveContent(chunks, place);
    if ('data' in received) return await this.prepare(received.data, protection);
    const { digest, sizeBytes, file } = received;
    // Pinned before it has its name: nobody takes the name for garbage.
    const blob = this.#pinned({ digest, sizeBytes, protection, inline: undefined });
    try {
      await this.#files.publish(file, digest);
    } catch (error) {
      this.abandon(blob);
      throw error;
    }
    return blob;
  }

  /**
   * Content that is stored already, to be referred to once more: one of a kept generation. The caller retains or abandons
   * the result. Throws NOT_FOUND if nobody refers to it any more, CORRUPT if it was found damaged.
   */
  prepareExisting(digest: Digest): PreparedBlob {
    const { sizeBytes, protection, place, damaged } = this.#find(digest);
    if (damaged === true) throw foundDamaged();
    // The last reference may go before this one is added, and take a content row along.
    const inline = place === 'inline' ? this.#records.content(digest) : undefined;
    const blob = this.#pinned({ digest, sizeBytes, protection, inline });
    this.#borrowed.add(blob);
    return blob;
  }

  /** The same prepared content once more, for another reference: as many can be retained. Preconditions: `blob` is still prepared. */
  prepareAgain(blob: PreparedBlob): PreparedBlob {
    assert(this.#pins.has(blob), 'the blob was not prepared here, or was retained or abandoned before');
    const again = this.#pinned({ ...blob });
    if (this.#borrowed.has(blob)) this.#borrowed.add(again);
    return again;
  }

  /** Adds a reference. Preconditions: in a transaction; `blob` came from `prepare` of this instance and was not abandoned. */
  retain(blob: PreparedBlob): void {
    assert(this.#pins.has(blob), 'the blob was not prepared here, or was retained or abandoned before');
    this.adopt(blob);
    this.#store.afterCommit(() => this.#pins.remove(blob));
  }

  /**
   * Adds a reference to what another instance has prepared, and keeps prepared until it knows of the commit.
   * Preconditions: in a transaction.
   */
  adopt(blob: PreparedBlob): void {
    assert(this.#store.inTransaction, 'a reference needs a transaction');
    const record = this.#records.get(blob.digest);
    // Bytes that were not stored anew heal nothing.
    if (record !== undefined && (record.damaged !== true || this.#borrowed.has(blob))) {
      this.#records.countUp(blob.digest, record);
    } else {
      const { sizeBytes, protection, inline } = blob;
      const keyId = protection === 'secret' ? (blob.keyId ?? this.#key.id) : '';
      const place = inline === undefined ? 'file' : 'inline';
      if (record === undefined) this.#records.insert(blob.digest, { sizeBytes, protection, keyId, place }, inline);
      else this.#records.restore(blob.digest, record.references, { sizeBytes, protection, keyId, place }, inline);
    }
  }

  /** Adds a reference to content that has one. Preconditions: in a transaction. Throws NOT_FOUND if nobody refers to it. */
  retainExisting(digest: Digest): void {
    assert(this.#store.inTransaction, 'retain needs a transaction');
    this.#records.countUp(digest, this.#find(digest));
  }

  /** Gives up what was prepared. Does nothing if it was retained meanwhile. The next `collect` removes its file. */
  abandon(blob: PreparedBlob): void {
    if (this.#pins.remove(blob) && blob.inline === undefined) this.#pins.noteAbandoned(blob.digest);
  }

  /** Takes one reference away. Preconditions: in a transaction. Throws NOT_FOUND if nobody refers to the digest. */
  release(digest: Digest): void {
    assert(this.#store.inTransaction, 'release needs a transaction');
    this.#records.countDown(digest, this.#find(digest));
  }

  /** Removes the files of released and abandoned blobs; resolves to their number. Flushes first if there are any. */
  async collect(): Promise<number> {
    const abandoned = this.#pins.takeAbandoned();
    if (abandoned.length > 0) this.#markUnreferenced(abandoned);
    this.#store.refresh();
    const garbage = this.#records.garbage();
    if (garbage.length === 0) return 0;
    // If power failed with the removal of a record not yet on disk, the record would come back and need its file.
    await this.#store.flush();
    let removed = 0;
    for (let first = 0; first < garbage.length; first += COLLECT_BATCH) {
      const batch = garbage.slice(first, first + COLLECT_BATCH);
      removed += this.#store.transactBuffered(() => batch.filter((entry) => this.#collectOne(entry)).length);
      await new Promise(setImmediate);
    }
    return removed;
  }

  /**
   * At most `sizeBytes` bytes from `offsetBytes`; fewer only at the end. Small content at once, files as a promise.
   * Throws (or rejects with) NOT_FOUND, AWAITING_SOURCE (sealed with a key that is gone), CORRUPT.
   */
  read(digest: Digest, offsetBytes: number, sizeBytes: number): Uint8Array | Promise<Uint8Array> {
    const record = this.#find(digest);
    if (record.damaged === true) throw foundDamaged();
    if (record.protection === 'secret' && record.keyId !== this.#key.id)
      throw awaitingSource(record.keyId, this.#key.id);
    const inline = record.place === 'file' ? undefined : this.#records.content(digest);
    if (record.place === 'inline' && inline === undefined)
      throw new DunnageError('CORRUPT', 'the metadata lists content that it does not hold', {
        remedy: 'Apply the object again from its source.',
      });
    const { sizeBytes: whole, protection } = record;
    return this.readStaged({ digest, sizeBytes: whole, protection, inline }, offsetBytes, sizeBytes);
  }

  /** The same for content that another instance holds prepared. */
  readStaged(blob: PreparedBlob, offsetBytes: number, sizeBytes: number): Uint8Array | Promise<Uint8Array> {
    const { digest, inline } = blob;
    const end = Math.min(offsetBytes + sizeBytes, blob.sizeBytes);
    if (end <= offsetBytes) return new Uint8Array();
    if (inline === undefined) return this.#readFile(digest, blob, offsetBytes, end);
    if (blob.protection === 'plain') return inline.subarray(offsetBytes, end);
    return unseal(this.#key.encryptionKey, digest, blob.sizeBytes, 0, inline).subarray(offsetBytes, end);
  }

  /** `read` of content that is prepared: it is there as long as it is, whoever else gives it up. Throws CORRUPT, IO. */
  async readPrepared(blob: PreparedBlob, offsetBytes: number, sizeBytes: number): Promise<Uint8Array> {
    assert(this.#pins.has(blob), 'the blob was not prepared here, or was retained or abandoned before');
    return await this.readStaged(blob, offsetBytes, sizeBytes);
  }

  /** Whether `read` would find content: false if nobody refers to it, if it was found damaged, or if its key is gone. */
  isReadable(digest: Digest): boolean {
    const record = this.#records.get(digest);
    if (record === undefined || record.damaged === true) return false;
    return record.protection === 'plain' || record.keyId === this.#key.id;
  }

  /** The next read opens the content's file anew. */
  forget(digest: Digest): void {
    this.#files.forget(digest);
  }

  /** Calls back when a content file was written, in the place of a damaged one perhaps, that another thread has open. */
  onReplaced(listener: (digest: Digest) => void): void {
    this.#onReplaced = listener;
  }

  /** Whether it is sealed with a key that is gone. */
  isSealedAway(digest: Digest): boolean {
    const record = this.#records.get(digest);
    return record !== undefined && record.protection === 'secret' && record.keyId !== this.#key.id;
  }

  /** How it is stored; undefined if nobody refers to it. Digests of the two kinds cannot be compared. */
  protectionOf(digest: Digest): Protection | undefined {
    return this.#records.get(digest)?.protection;
  }

  /** Whether it is being stored or waits for its first reference: known to this instance alone. */
  isInUse(digest: Digest): boolean {
    return this.#pins.isPinned(digest) || this.#writes.has(digest.toString('hex'));
  }

  /** At start: removes what a crash left behind. Preconditions: nothing is being prepared. */
  async sweep(): Promise<void> {
    assert(this.#pins.isEmpty, 'sweep only before anything is prepared');
    const temporaries = await this.#files.removeTemporaries();
    this.#store.refresh();
    for await (const digests of this.#files.list()) this.#markUnreferenced(digests);
    const orphans = await this.collect();
    if (temporaries + orphans > 0)
      this.#log.info({ temporaries, orphans }, 'removed content files that nothing refers to');
  }

  statistics(): BlobStatistics {
    return this.#records.statistics();
  }

  /** Closes files kept open for reads. */
  async close(): Promise<void> {
    await this.#files.close();
  }

  #pinned(blob: PreparedBlob): PreparedBlob {
    this.#pins.add(blob);
    return blob;
  }

  #find(digest: Digest): BlobRecord {
    const record = this.#records.get(digest);
    if (record === undefined) throw new DunnageError('NOT_FOUND', `no content with digest ${digest.toString('hex')}`);
    return record;
  }

  #storedForm(digest: Digest, data: Uint8Array, protection: Protection): Uint8Array {
    return protection === 'secret' ? seal(this.#key.encryptionKey, digest, data) : Uint8Array.from(data);
  }

  /** One writer per digest: whoever prepares the same content meanwhile waits for it. */
  #ensureFile(digest: Digest, data: Uint8Array, protection: Protection): Promise<void> {
    const name = digest.toString('hex');
    let write = this.#writes.get(name);
    if (write === undefined) {
      write = this.#writeFile(digest, data, protection).finally(() => this.#writes.delete(name));
      this.#writes.set(name, write);
    }
    return write;
  }

  async #writeFile(digest: Digest, data: Uint8Array, protection: Protection): Promise<void> {
    if (!(await this.#isIntact(digest, data, protection))) {
      await this.#files.write(digest, this.#storedForm(digest, data, protection));
      this.#onReplaced(digest);
      return;
    }
    this.#store.refresh();
    // Without a record nobody vouches that the name reached the disk: a crash may have come right after the rename.
    if (this.#records.get(digest) === undefined) await this.#files.flushName(digest);
  }

  /** Compares a file that is already there byte for byte, so that applying content again mends a damaged file. */
  async #isIntact(digest: Digest, data: Uint8Array, protection: Protection): Promise<boolean> {
    const fileSizeBytes = protection === 'secret' ? sealedSizeBytes(data.length) : data.length;
    if (!this.#files.has(digest, fileSizeBytes)) return false;
    try {
      const stored = await this.#readFile(digest, { sizeBytes: data.length, protection }, 0, data.length);
      return Buffer.from(data.buffer, data.byteOffset, data.byteLength).equals(stored);
    } catch (error) {
      if (!(error instanceof DunnageError) || (error.code !== 'CORRUPT' && error.code !== 'IO')) throw error;
      this.#log.warn(
        { digest: digest.toString('hex'), reason: error.message },
        'content file is damaged and is written anew',
      );
      return false;
    }
  }

  async #readFile(
    digest: Digest,
    { sizeBytes, protection }: Pick<BlobRecord, 'sizeBytes' | 'protection'>,
    offsetBytes: number,
    endBytes: number,
  ): Promise<Uint8Array> {
    if (protection === 'plain') return await this.#files.read(digest, sizeBytes, offsetBytes, endBytes - offsetBytes);
    const span = sealedSpan(sizeBytes, offsetBytes, endBytes);
    const sealed = await this.#files.read(
      digest,
      sealedSizeBytes(sizeBytes),
      span.sealedOffsetBytes,
      span.sealedSizeBytes,
    );
    const start = offsetBytes - span.firstChunk * limits.sealedChunkBytes;
    try {
      const plain = unseal(this.#key.encryptionKey, digest, sizeBytes, span.firstChunk, sealed);
      return plain.subarray(start, start + endBytes - offsetBytes);
    } catch (error) {
      // The file may have been mended since it was opened.
      this.#files.forget(digest);
      throw error;
    }
  }

  #markUnreferenced(digests: readonly Digest[]): void {
    const unreferenced = digests.filter((digest) => !this.#records.has(digest));
    if (unreferenced.length === 0) return;
    this.#store.transactBuffered(() => {
      for (const digest of unreferenced) if (!this.#records.has(digest)) this.#records.markGarbage(digest);
    });
  }

  /** Preconditions: in a transaction, so that nobody can retain the blob meanwhile. */
  #collectOne(entry: { readonly digest: Digest; readonly stamp: Uint8Array }): boolean {
    if (this.#pins.isPinned(entry.digest)) return false;
    if (!this.#records.removeGarbage(entry.digest, entry.stamp)) return false;
    if (this.#records.has(entry.digest)) return false;
    this.#files.removeSync(entry.digest);
    return true;
  }
}

function foundDamaged(): DunnageError {
  return new DunnageError('CORRUPT', 'the stored content was found damaged', {
    remedy: 'Apply the object again from its source: that stores it anew. Check the disk if it happens again.',
  });
}

function awaitingSource(sealedWith: string, keyId: string): DunnageError {
  return new DunnageError(
    'AWAITING_SOURCE',
    `the content is sealed with the key ${sealedWith}, and the daemon has the key ${keyId}`,
    {
      remedy:
        'Apply the secret again from its source, or start the daemon with the key file it was sealed with. A key of the runtime directory is gone after a reboot.',
    },
  );
}
