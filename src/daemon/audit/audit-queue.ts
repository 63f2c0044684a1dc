/**
 * The FUSE thread's end of the audit: takes events at once, hands them over in batches, and holds back what the main thread has
 * not written down yet. Of events that find no room only the number is kept: no open ever waits for the log.
 */
import type { AuditBatch, AuditEvent } from './audit-event.ts';

export interface AuditQueueOptions {
  /** Events that are on their way or waiting. */
  readonly room: number;
  readonly send: (batch: AuditBatch) => void;
  /** Calls back soon, when the requests at hand have been served. */
  readonly soon?: (callback: () => void) => void;
}

export class AuditQueue {
  readonly #options: AuditQueueOptions;
  readonly #soon: (callback: () => void) => void;
  #waiting: AuditEvent[] = [];
  #unwritten = 0;
  #lost = 0;
  #isDue = false;

  constructor(options: AuditQueueOptions) {
    this.#options = options;
    this.#soon = options.soon ?? setImmediate;
  }

  add(event: AuditEvent): void {
    if (this.#unwritten >= this.#options.room) {
      this.#lost += 1;
      return;
    }
    this.#unwritten += 1;
    this.#waiting.push(event);
    this.#sendSoon();
  }

  /** So many events were written down. */
  written(count: number): void {
    this.#unwritten -= count;
    if (this.#lost > 0) this.#sendSoon();
  }

  /** Hands over what waits, now. */
  flush(): void {
    if (this.#waiting.length === 0 && this.#lost === 0) return;
    const batch = { events: this.#waiting, lost: this.#lost };
    this.#waiting = [];
    this.#lost = 0;
    this.#options.send(batch);
  }

  #sendSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#soon(() => {
      this.#isDue = false;
      this.flush();
    });
  }
}
