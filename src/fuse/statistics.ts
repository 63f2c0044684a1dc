/** Counters of one connection. */
import { OPCODE_COUNT, opcodeName } from './abi.ts';

export interface ConnectionStatistics {
  /** Requests received. */
  readonly requests: number;
  /** The same by operation (`LOOKUP`, ...); only those that occurred. */
  readonly operations: Readonly<Record<string, number>>;
  /** Being worked on. */
  readonly inFlight: number;
  /** Unanswered for longer than `limits.fuseUnansweredMs`. */
  readonly unanswered: number;
  /** How many ever were, also if they have been answered since. */
  readonly unansweredEver: number;
  /** Messages too short to be answered. */
  readonly malformed: number;
  /** Exceptions that were not refusals of the file system: bugs. */
  readonly exceptions: number;
  /** Replies the kernel did not take, apart from those nobody waited for any more. */
  readonly failedReplies: number;
  /** Requests that went asynchronous and found no room in the journal: a daemon that takes over cannot serve them again. */
  readonly unjournaled: number;
  readonly pendingNotifications: number;
  /** Notifications the kernel refused, apart from those about something it had not cached. */
  readonly failedNotifications: number;
}

export class RequestCounters {
  malformed = 0;
  exceptions = 0;
  failedReplies = 0;
  unjournaled = 0;
  /** The last one counts operations that are not known. */
  readonly #byOpcode = new Float64Array(OPCODE_COUNT + 1);

  count(opcode: number): void {
    const index = Math.min(opcode, OPCODE_COUNT);
    this.#byOpcode[index] = (this.#byOpcode[index] as number) + 1;
  }

  get total(): number {
    return this.#byOpcode.reduce((sum, count) => sum + count, 0);
  }

  byName(): Record<string, number> {
    return operationsByName(this.#byOpcode);
  }
}

/** Counts by opcode as counts by name, without those that are zero. */
export function operationsByName(byOpcode: ArrayLike<number>): Record<string, number> {
  const names: Record<string, number> = {};
  for (let opcode = 0; opcode < byOpcode.length; opcode += 1) {
    const count = byOpcode[opcode] as number;
    if (count > 0) names[opcode < OPCODE_COUNT ? opcodeName(opcode) : 'unknown'] = count;
  }
  return names;
}
