/**
 * Allocs on their way out. What somebody uses is left alone until he is gone: its files would vanish under a running
 * program. Nothing tells when that is, so it is looked again, less and less often; the record keeps the wish over restarts.
 */
import type { Log } from '../../base/log.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { AllocBuilder } from './alloc-builder.ts';
import type { AllocRecord, AllocRecords } from './alloc-records.ts';

/** From one look to the next. */
const LOOK_MS = 250;
const LOOK_MS_MAX = 10_000;

export interface AllocDeletionsOptions {
  readonly builder: Pick<AllocBuilder, 'users' | 'destroy'>;
  readonly records: Pick<AllocRecords, 'get' | 'remove'>;
  readonly log: Log;
  /** Runs the task while nobody else works on that alloc. */
  readonly inTurn: (id: string, task: () => Promise<void>) => Promise<void>;
  readonly onDeleted: (id: string) => void;
}

interface Waiting {
  readonly timer: NodeJS.Timeout;
  readonly lookMs: number;
  readonly awaiting: readonly string[];
}

export class AllocDeletions {
  readonly #options: AllocDeletionsOptions;
  readonly #waiting = new Map<string, Waiting>();
  #isClosed = false;

  constructor(options: AllocDeletionsOptions) {
    this.#options = options;
  }

  /** For whom the deletion waits, in words; empty if it does not. */
  awaited(id: string): readonly string[] {
    return this.#waiting.get(id)?.awaiting ?? [];
  }

  /**
   * Deletes if nobody uses it, and otherwise goes on trying in the background. Gives what is waited for: nothing if it is gone.
   * Preconditions: the record says `deleting`, and the alloc's turn is held.
   */
  async attempt(record: AllocRecord): Promise<readonly string[]> {
    const { id } = record.spec;
    const before = this.#waiting.get(id);
    clearTimeout(before?.timer);
    const awaiting = await this.#tryOnce(record);
    // What was known before is known until then.
    this.#waiting.delete(id);
    if (awaiting.length === 0 || this.#isClosed) return awaiting;
    const lookMs = Math.min(before === undefined ? LOOK_MS : 2 * before.lookMs, LOOK_MS_MAX);
    const timer = setTimeout(() => this.#again(id), lookMs).unref();
    this.#waiting.set(id, { timer, lookMs, awaiting });
    const isNews = awaiting.join() !== before?.awaiting.join();
    if (isNews) this.#options.log.info({ alloc: id, awaiting }, 'the deletion of an alloc waits');
    return awaiting;
  }

  close(): void {
    this.#isClosed = true;
    for (const { timer } of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
  }

  async #tryOnce({ spec }: AllocRecord): Promise<readonly string[]> {
    const { builder, records, log } = this.#options;
    try {
      const users = await builder.users(spec.id, spec.tasks);
      if (users.length > 0) return users;
      await builder.destroy(spec);
    } catch (error) {
      // Busy all the same, or something cannot be removed: said, and tried again.
      return [error instanceof DunnageError ? error.message : String(error)];
    }
    await records.remove(spec.id);
    log.info({ alloc: spec.id }, 'deleted');
    this.#options.onDeleted(spec.id);
    return [];
  }

  #again(id: string): void {
    const attempt = async (): Promise<void> => {
      const record = this.#options.records.get(id);
      if (record?.state === 'deleting' && !this.#isClosed) await this.attempt(record);
    };
    this.#options.inTurn(id, attempt).catch((error: unknown) => {
      this.#options.log.error({ alloc: id, error: String(error) }, 'an alloc cannot be deleted');
    });
  }
}
