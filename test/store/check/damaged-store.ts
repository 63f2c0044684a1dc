/** A store with content of every sort, what refers to it, and ways to damage it from outside. */
import { closeSync, mkdirSync, openSync, readSync, truncateSync, unlinkSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { limits } from '../../../src/base/limits.ts';
import { silentLog } from '../../../src/base/log.ts';
import { blobPath } from '../../../src/store/blob-files.ts';
import { BLOB_TABLES, type BlobRecord, blobRecordValue, type Protection } from '../../../src/store/blob-records.ts';
import { BlobStore } from '../../../src/store/blob-store.ts';
import { blobChecks } from '../../../src/store/check/blob-checks.ts';
import type { ContentTally } from '../../../src/store/check/blob-content.ts';
import { BlobScene } from '../../../src/store/check/blob-scene.ts';
import type { Finding } from '../../../src/store/check/finding.ts';
import { References } from '../../../src/store/check/references.ts';
import { type RunResult, runChecks } from '../../../src/store/check/run-checks.ts';
import { bytesValue, digestKey } from '../../../src/store/codecs.ts';
import type { Digest } from '../../../src/store/digest.ts';
import { SealingKey } from '../../../src/store/sealing-key.ts';
import type { Store } from '../../../src/store/store.ts';
import type { Table } from '../../../src/store/table.ts';
import { makeStateDirectory, openStore } from '../state-directory.ts';

export interface Content {
  readonly digest: Digest;
  readonly data: Buffer;
  readonly protection: Protection;
}

export const SORTS = ['plain-inline', 'plain-file', 'secret-inline', 'secret-file'] as const;
export type Sort = (typeof SORTS)[number];

const LARGE = limits.inlineBlobBytesMax;

export class DamagedStore {
  readonly stateDir: string;
  readonly store: Store;
  readonly key: SealingKey = SealingKey.fromBytes(Buffer.alloc(32, 7));
  readonly blobs: BlobStore;
  readonly records: Table<Digest, BlobRecord>;
  readonly rawRecords: Table<Uint8Array, Uint8Array>;
  readonly inline: Table<Digest, Uint8Array>;
  readonly contents: Map<Sort, Content> = new Map();
  /** Digests as often as something refers to them. */
  readonly referring: { readonly content: Content; readonly file: string }[] = [];
  readonly marked: string[] = [];

  private constructor(t: TestContext) {
    this.stateDir = makeStateDirectory(t);
    this.store = openStore(t, this.stateDir);
    this.blobs = this.openBlobs(this.key);
    this.records = this.store.table(BLOB_TABLES.records, digestKey, blobRecordValue);
    this.rawRecords = this.store.table(BLOB_TABLES.records, bytesValue, bytesValue);
    this.inline = this.store.table(BLOB_TABLES.inline, digestKey, bytesValue);
    t.after(() => this.blobs.close());
  }

  /** One content of each sort, each with one reference; the first has two. */
  static async make(t: TestContext): Promise<DamagedStore> {
    const made = new DamagedStore(t);
    for (const sort of SORTS) {
      const data = Buffer.alloc(sort.endsWith('file') ? 3 * LARGE + 5 : 50, `content of ${sort}. `);
      made.contents.set(sort, await made.add(sort, data, sort.startsWith('secret') ? 'secret' : 'plain'));
    }
    await made.add('again', made.content('plain-inline').data, 'plain');
    return made;
  }

  openBlobs(sealingKey: SealingKey): BlobStore {
    return new BlobStore({ store: this.store, stateDir: this.stateDir, sealingKey, log: silentLog });
  }

  async add(file: string, data: Buffer, protection: Protection): Promise<Content> {
    const blob = await this.blobs.prepare(data, protection);
    this.store.transactBuffered(() => this.blobs.retain(blob));
    const content = { digest: blob.digest, data, protection };
    this.referring.push({ content, file });
    return content;
  }

  content(sort: Sort): Content {
    const content = this.contents.get(sort);
    if (content === undefined) throw new Error(`no content ${sort}`);
    return content;
  }

  references(): References {
    const references = new References();
    for (const { content, file } of this.referring) {
      references.add(content.digest, content.data.length, content.protection, () => file);
    }
    return references;
  }

  change(action: () => void): void {
    this.store.transactBuffered(action);
  }

  path(digest: Digest): string {
    return blobPath(this.stateDir, digest);
  }

  /** Changes one stored byte, wherever it is. */
  flip({ digest }: Content, at = 20): void {
    if (this.records.get(digest)?.place === 'inline') {
      const bytes = Buffer.from(this.inline.get(digest) as Uint8Array);
      bytes[at] = (bytes[at] as number) ^ 0x40;
      this.change(() => this.inline.put(digest, bytes));
      return;
    }
    const fd = openSync(this.path(digest), 'r+');
    const byte = Buffer.alloc(1);
    readSync(fd, byte, 0, 1, at);
    byte[0] = (byte[0] as number) ^ 0x40;
    writeSync(fd, byte, 0, 1, at);
    closeSync(fd);
  }

  truncate({ digest }: Content): void {
    if (this.records.get(digest)?.place === 'inline') {
      const bytes = this.inline.get(digest) as Uint8Array;
      this.change(() => this.inline.put(digest, bytes.subarray(0, bytes.length - 3)));
    } else truncateSync(this.path(digest), 1000);
  }

  removeBytes({ digest }: Content): void {
    if (this.records.get(digest)?.place === 'inline') this.change(() => this.inline.remove(digest));
    else unlinkSync(this.path(digest));
  }

  setRecord({ digest }: Content, fields: Partial<BlobRecord>): void {
    const record = this.records.get(digest) as BlobRecord;
    this.change(() => this.records.put(digest, { ...record, ...fields }));
  }

  /** A file where content files are, or where unfinished ones are. */
  plant(...path: readonly string[]): string {
    const planted = join(this.stateDir, 'blobs', ...path);
    mkdirSync(dirname(planted), { recursive: true });
    writeFileSync(planted, 'planted');
    return planted;
  }

  async check(
    options: { readonly repair?: boolean; readonly online?: boolean; readonly key?: SealingKey | undefined } = {},
  ): Promise<RunResult & { readonly tally: ContentTally }> {
    const { repair = false, online = false } = options;
    const key = 'key' in options ? options.key : this.key;
    const scene = new BlobScene({
      store: this.store,
      stateDir: this.stateDir,
      key,
      references: () => this.references(),
      isInUse: (digest) => this.blobs.isInUse(digest),
      temporariesMinAgeMs: 0,
      nowMs: () => 1_900_000_000_000_000,
      pace: () => undefined,
    });
    const tally = { verified: 0, verifiedBytes: 0, unverifiable: 0 };
    const onDamaged = (digest: Digest): void => {
      this.marked.push(digest.toString('hex'));
    };
    const checks = blobChecks({ scene, tally, onDamaged });
    return { ...(await runChecks({ store: this.store, checks, repair, online })), tally };
  }
}

export function codes(findings: readonly Finding[]): string[] {
  return findings.map(({ code }) => code).sort();
}
