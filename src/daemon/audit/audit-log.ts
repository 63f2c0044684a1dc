/**
 * The main thread's end of the audit: writes each batch to the audit file and to the daemon's log, in order. The FUSE thread is
 * told what was written, and holds back the rest; what the disk does not take is tried again every second.
 *
 * On disk a second after it was written at the latest: the file is flushed that often, not for every open.
 */
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { AuditBatch, AuditEvent } from './audit-event.ts';
import type { AuditFile } from './audit-file.ts';

export interface AuditLogOptions {
  readonly file: Pick<AuditFile, 'append' | 'flush' | 'close'>;
  readonly log: Log;
  readonly clock: Clock;
  readonly onWritten: (count: number) => void;
  readonly retryMs?: number;
}

const FLUSH_EVERY_MS = 1_000;

export interface AuditFigures {
  /** Since the daemon started. */
  readonly opens: number;
  readonly lost: number;
}

export class AuditLog {
  readonly #options: AuditLogOptions;
  readonly #batches: AuditBatch[] = [];
  #writing: Promise<void> | undefined;
  #flushTimer: NodeJS.Timeout | undefined;
  #opens = 0;
  #lost = 0;
  #failure: string | undefined;
  #isClosing = false;

  constructor(options: AuditLogOptions) {
    this.#options = options;
  }

  get figures(): AuditFigures {
    return { opens: this.#opens, lost: this.#lost };
  }

  /** Sentences for the status. */
  warnings(): string[] {
    const warnings =
      this.#failure === undefined ? [] : [`${this.#failure}: audited opens wait in memory until it can be written`];
    if (this.#lost > 0) {
      warnings.push(
        `${this.#lost} audited opens were not written down: they came faster than the log could be written`,
      );
    }
    return warnings;
  }

  take(batch: AuditBatch): void {
    this.#batches.push(batch);
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  /** Writes and flushes what it has; a disk that does not take it is not waited for. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#writing;
    clearTimeout(this.#flushTimer);
    await this.#options.file.close();
  }

  async #write(): Promise<void> {
    for (let batch = this.#batches[0]; batch !== undefined; batch = this.#batches[0]) {
      if (!(await this.#writeOne(batch))) {
        if (this.#isClosing) return;
        await new Promise((resolve) => setTimeout(resolve, this.#options.retryMs ?? FLUSH_EVERY_MS).unref());
        continue;
      }
      this.#batches.shift();
    }
  }

  async #writeOne(batch: AuditBatch): Promise<boolean> {
    const { file, log, clock, onWritten } = this.#options;
    const lines = batch.events.map(toLine);
    if (batch.lost > 0) lines.push({ time: new Date(clock.nowMs()).toISOString(), event: 'lost', count: batch.lost });
    try {
      await file.append(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    } catch (error) {
      if (this.#failure === undefined) log.error({ error: String(error) }, 'audited opens cannot be written down');
      this.#failure = error instanceof Error ? error.message : String(error);
      return false;
    }
    this.#failure = undefined;
    this.#opens += batch.events.length;
    this.#lost += batch.lost;
    // Nested: `pid` is the daemon's own in every line of its log.
    for (const { time: _, ...audit } of lines) {
      if (audit.event === 'lost') log.warn({ audit }, 'audited opens were lost');
      else log.info({ audit }, 'audited open');
    }
    onWritten(batch.events.length);
    this.#flushSoon();
    return true;
  }

  #flushSoon(): void {
    if (this.#flushTimer !== undefined || this.#isClosing) return;
    this.#flushTimer = setTimeout(() => {
      this.#flushTimer = undefined;
      this.#options.file.flush().catch((error: unknown) => {
        this.#options.log.error({ error: String(error) }, 'the audit log could not be flushed');
        this.#flushSoon();
      });
    }, FLUSH_EVERY_MS).unref();
  }
}

type Line =
  | { readonly time: string; readonly event: 'lost'; readonly count: number }
  | (Omit<AuditEvent, 'timeMs' | 'repeated'> & {
      readonly time: string;
      readonly event: 'open';
      readonly repeated?: true;
    });

function toLine({ timeMs, repeated, ...event }: AuditEvent): Line {
  return { time: new Date(timeMs).toISOString(), event: 'open', ...event, ...(repeated ? { repeated } : {}) };
}
