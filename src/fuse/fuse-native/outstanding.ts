/** Requests by operation, and those that are being worked on; what takes too long is logged once and counted. */
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';

interface Request {
  readonly operation: string;
  readonly startedMs: number;
  reported: boolean;
}

export interface OutstandingOptions {
  readonly name: string;
  readonly log: Log;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly unansweredMs: number;
}

export class Outstanding {
  readonly #options: OutstandingOptions;
  readonly #requests = new Set<Request>();
  readonly #counts = new Map<string, number>();
  unansweredEver = 0;

  constructor(options: OutstandingOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#requests.size;
  }

  get total(): number {
    let sum = 0;
    for (const count of this.#counts.values()) sum += count;
    return sum;
  }

  get unansweredNow(): number {
    let count = 0;
    for (const request of this.#requests) if (request.reported) count += 1;
    return count;
  }

  byName(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }

  /** Returns what is to be called with the answer. */
  begin(operation: string): () => void {
    this.#counts.set(operation, (this.#counts.get(operation) ?? 0) + 1);
    const request: Request = { operation, startedMs: this.#options.clock.monotonicMs(), reported: false };
    this.#requests.add(request);
    return () => void this.#requests.delete(request);
  }

  /** To be called from time to time. */
  look(): void {
    const { clock, log, name, unansweredMs } = this.#options;
    const nowMs = clock.monotonicMs();
    for (const request of this.#requests) {
      const ageMs = nowMs - request.startedMs;
      if (request.reported || ageMs < unansweredMs) continue;
      request.reported = true;
      this.unansweredEver += 1;
      log.warn({ connection: name, operation: request.operation, ageMs: Math.round(ageMs) }, 'request is unanswered');
    }
  }
}
