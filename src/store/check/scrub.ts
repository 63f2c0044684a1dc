/**
 * Reads everything that is stored once in a while and compares it with its digests, slowly and on the side: a disk that
 * changes bytes is noticed before somebody needs them. Content that is damaged is marked, as fsck does it.
 *
 * Bytes are read in slices through the libuv pool and hashed on this thread, a fraction of a millisecond at a time; after
 * each slice it waits as long as the rate asks for, and longer while something else is to be done. How far it has come
 * is in the store, so that a restart goes on there.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Counter } from '../../base/metrics.ts';
import type { BlobRecord } from '../blob-records.ts';
import { jsonValue, stringKey } from '../codecs.ts';
import { type Digest, toDigest } from '../digest.ts';
import { describeDamage, isGone } from './blob-content.ts';
import type { BlobScene } from './blob-scene.ts';
import { verifyAt } from './recover-record.ts';
import { TolerantTable } from './tolerant-table.ts';

export interface ScrubOptions {
  /** Its `pace` is `ScrubPace.wait`. */
  readonly scene: BlobScene;
  readonly pace: ScrubPace;
  /** From the start of one pass over everything to the start of the next. */
  readonly intervalMs: number;
  /** Before the first pass after a start: a host that boots has other things to do. */
  readonly delayMs: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly verifiedBytes: Counter;
  readonly damages: Counter;
  /** Content was marked as damaged: what the kernel has cached of it must go. */
  readonly onDamaged: (digest: Digest) => void;
}

interface Progress {
  readonly startedAtMs: number;
  /** The last digest that was compared, in hex; undefined if the pass is complete. */
  readonly after?: string;
  /** What was found damaged in this and earlier passes, and how people call it. */
  readonly damaged: readonly (readonly [digest: string, object: string])[];
}

const KEY = 'progress';
/** Records looked at between two notes of the position. */
const BATCH = 32;
const DAMAGED_MAX = 100;
const RETRY_MS = 3_600_000;
/** Timers hold no more than 2^31 ms. */
const WAIT_MS_MAX = 24 * 3_600_000;

export class Scrub {
  readonly #options: ScrubOptions;
  readonly #table: TolerantTable<string, Progress>;
  readonly #ending = new AbortController();
  #running: Promise<void> = Promise.resolve();

  /** Preconditions: not in a transaction. */
  constructor(options: ScrubOptions) {
    this.#options = options;
    this.#table = new TolerantTable(options.scene.options.store, {
      name: 'scrub',
      key: stringKey,
      value: jsonValue<Progress>(),
      accept: (value) => Number.isFinite(value?.startedAtMs) && Array.isArray(value.damaged),
    });
  }

  start(): void {
    this.#running = this.#run().catch((error: unknown) => {
      if (!this.#ending.signal.aborted) throw error;
    });
  }

  /** Resolves when nothing is read any more. */
  async close(): Promise<void> {
    this.#ending.abort();
    this.#options.pace.close();
    await this.#running;
  }

  /** Sentences about content that was found damaged and is not healed yet. */
  warnings(): readonly string[] {
    const { scene } = this.#options;
    scene.options.store.refresh();
    const lost = this.#progress().damaged.filter(([hex]) => scene.records.get(digestOf(hex))?.damaged === true);
    if (lost.length === 0) return [];
    const names = lost.slice(0, 3).map(([, object]) => object);
    const more = lost.length > names.length ? ` and ${lost.length - names.length} more` : '';
    return [
      `stored content is damaged and cannot be read: ${names.join('; ')}${more}: apply its source again (dunnage fsck)`,
    ];
  }

  /** One pass over everything that is left of it. Throws when it is closed meanwhile. */
  async pass(): Promise<void> {
    const { clock, scene } = this.#options;
    let progress = this.#progress();
    if (progress.after === undefined) {
      progress = { startedAtMs: clock.nowMs(), after: '', damaged: progress.damaged };
    }
    for (;;) {
      scene.options.store.refresh();
      const rows = scene.records.after(progress.after === '' ? undefined : digestOf(progress.after as string), BATCH);
      for (const { key, value } of rows) {
        this.#ending.signal.throwIfAborted();
        if (key === undefined || value === undefined) continue;
        const found = await this.#compare(key, value);
        if (found !== undefined) progress = { ...progress, damaged: remember(progress.damaged, key, found) };
      }
      const last = rows.findLast(({ key }) => key !== undefined)?.key;
      if (rows.length < BATCH || last === undefined) {
        this.#note({ startedAtMs: progress.startedAtMs, damaged: progress.damaged });
        return;
      }
      progress = { ...progress, after: last.toString('hex') };
      this.#note(progress);
    }
  }

  async #run(): Promise<void> {
    await this.#sleep(this.#options.delayMs);
    for (;;) {
      const { after, startedAtMs } = this.#progress();
      const waitMs = after === undefined ? startedAtMs + this.#options.intervalMs - this.#options.clock.nowMs() : 0;
      if (waitMs > 0) await this.#sleep(Math.min(waitMs, WAIT_MS_MAX));
      else await this.#tryPass();
    }
  }

  /** What cannot be read today (no descriptors are left, the disk is full) may be tomorrow. */
  async #tryPass(): Promise<void> {
    try {
      await this.pass();
    } catch (error) {
      this.#ending.signal.throwIfAborted();
      this.#options.log.error({ error: String(error) }, 'stored content could not be compared, and is later');
      await this.#sleep(RETRY_MS);
    }
  }

  /** How people call the content if it was found damaged just now. */
  async #compare(digest: Digest, record: BlobRecord): Promise<string | undefined> {
    const { scene, log, onDamaged, damages, verifiedBytes } = this.#options;
    if (record.damaged === true) return undefined;
    const verdict = await verifyAt(scene, digest, record, record.place);
    // Content in the metadata is compared at once, and pays for it here.
    if (record.place === 'inline') await scene.options.pace(record.sizeBytes);
    if (verdict.state !== 'damaged') {
      verifiedBytes.increase({}, record.sizeBytes);
      return undefined;
    }
    if (await isGone(scene, digest, record)) return undefined;
    const tally = { verified: 0, verifiedBytes: 0, unverifiable: 0 };
    const issue = await describeDamage(
      { scene, tally, onDamaged },
      scene.options.references(),
      digest,
      record,
      verdict,
    );
    if (issue === undefined) return undefined;
    await issue.repair?.();
    damages.increase();
    log.error(
      { code: issue.code, object: issue.object, what: issue.what, action: issue.action },
      'stored content is damaged',
    );
    return issue.object;
  }

  #progress(): Progress {
    return this.#table.get(KEY) ?? { startedAtMs: 0, damaged: [] };
  }

  #note(progress: Progress): void {
    this.#options.scene.change(() => this.#table.put(KEY, progress));
  }

  async #sleep(waitMs: number): Promise<void> {
    await sleep(waitMs, undefined, { signal: this.#ending.signal, ref: false });
  }
}

function remember(known: Progress['damaged'], digest: Digest, object: string): Progress['damaged'] {
  const hex = digest.toString('hex');
  return [[hex, object] as const, ...known.filter(([other]) => other !== hex)].slice(0, DAMAGED_MAX);
}

function digestOf(hex: string): Digest {
  return toDigest(Buffer.from(hex, 'hex'));
}

/** Slices are paid for before they are read, those of small contents together. */
const PAID_BYTES = 65_536;
const BUSY_MS = 100;

/** Spreads reading over time. */
export class ScrubPace {
  readonly #bytesPerSecond: number;
  readonly #isBusy: () => boolean;
  readonly #ending = new AbortController();
  #owedBytes = 0;

  constructor(bytesPerSecond: number, isBusy: () => boolean) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#isBusy = isBusy;
  }

  /** Throws AbortError when it is closed. */
  readonly wait = async (sizeBytes: number): Promise<void> => {
    this.#owedBytes += sizeBytes;
    if (this.#owedBytes < PAID_BYTES) return;
    const waitMs = (this.#owedBytes / this.#bytesPerSecond) * 1000;
    this.#owedBytes = 0;
    await this.#sleep(waitMs);
    while (this.#isBusy()) await this.#sleep(BUSY_MS);
  };

  close(): void {
    this.#ending.abort();
  }

  async #sleep(waitMs: number): Promise<void> {
    await sleep(waitMs, undefined, { signal: this.#ending.signal });
  }
}
