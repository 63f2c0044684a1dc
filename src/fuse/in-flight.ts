/**
 * The requests that are being worked on. Those that take too long are logged once and counted: a request nobody
 * answers is a process nobody can kill.
 */
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { opcodeName } from './abi.ts';
import { type PendingRequest, requestKey } from './pending-request.ts';

export interface InFlightOptions {
  /** Of the connection, for the log. */
  readonly name: string;
  readonly unansweredMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

export class InFlight {
  readonly #options: InFlightOptions;
  readonly #requests = new Map<number, PendingRequest>();
  #timer: NodeJS.Timeout | undefined = undefined;
  #unansweredEver = 0;

  constructor(options: InFlightOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#requests.size;
  }

  /** How many were ever found unanswered for too long. */
  get unansweredEver(): number {
    return this.#unansweredEver;
  }

  /** How many of those still are. */
  get unansweredNow(): number {
    let count = 0;
    for (const request of this.#requests.values()) if (request.reportedUnanswered) count += 1;
    return count;
  }

  add(request: PendingRequest): void {
    request.startedMs = this.#options.clock.monotonicMs();
    this.#requests.set(request.key, request);
    this.#arm();
  }

  remove(request: PendingRequest): void {
    // A request with the same unique may have taken its place only if the kernel reused it, which it never does.
    this.#requests.delete(request.key);
    if (this.#requests.size === 0) this.#disarm();
  }

  /** Aborts the signal of a request; one that is not in flight is answered already. */
  interrupt(uniqueLow: number, uniqueHigh: number): void {
    this.#requests.get(requestKey(uniqueLow, uniqueHigh))?.interrupt();
  }

  /**
   * The kernel sends again what this very daemon is working on (it was read between the start of serving and the
   * notification). True if so: the work goes on once, and its reply will carry the new unique.
   */
  adopt(uniqueLow: number, uniqueHigh: number): boolean {
    const request = this.#requests.get(requestKey(uniqueLow, uniqueHigh));
    if (request === undefined) return false;
    request.uniqueHigh = uniqueHigh;
    return true;
  }

  /** Aborts every signal: nobody waits for the answers any more. */
  abandon(): void {
    for (const request of this.#requests.values()) request.interrupt();
    this.#requests.clear();
    this.#disarm();
  }

  /** Armed only while something is in flight, so that an idle connection wakes nobody. */
  #arm(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#report();
      if (this.#requests.size > 0) this.#arm();
    }, this.#options.unansweredMs);
    this.#timer.unref();
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #report(): void {
    const { clock, log, name, unansweredMs } = this.#options;
    const nowMs = clock.monotonicMs();
    for (const request of this.#requests.values()) {
      const ageMs = nowMs - request.startedMs;
      if (request.reportedUnanswered || ageMs < unansweredMs) continue;
      request.reportedUnanswered = true;
      this.#unansweredEver += 1;
      const fields = {
        connection: name,
        operation: opcodeName(request.opcode),
        node: request.nodeId,
        ageMs: Math.round(ageMs),
      };
      log.warn(fields, 'request is unanswered');
    }
  }
}
