/**
 * One request between its arrival and its answer: the `Caller` a file system sees, and what the reply must repeat.
 *
 * The abort controller is made only if somebody asks for the signal; most requests are answered at once.
 */
import type { Caller } from '../vfs/file-system.ts';
import type { RequestReader } from './decode.ts';

const WORD = 0x1_0000_0000;
const WITHOUT_RESEND_BIT = 0x7fff_ffff;

/** Names a request among those in flight: its unique without the resend mark. */
export function requestKey(uniqueLow: number, uniqueHigh: number): number {
  return (uniqueHigh & WITHOUT_RESEND_BIT) * WORD + uniqueLow;
}

export class PendingRequest implements Caller {
  readonly opcode: number;
  readonly nodeId: number;
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  readonly resent: boolean;
  readonly uniqueLow: number;
  /** Changes if the kernel sends the request again while it is being worked on: it then waits for the marked unique. */
  uniqueHigh: number;
  /** Monotonic. Set when the request turns out to take longer than its turn. */
  startedMs = 0;
  reportedUnanswered = false;
  /** Where the journal has the request. */
  journalSlot: number | undefined = undefined;
  /** Its reply was sent, or could not be. */
  isAnswered = false;
  #controller: AbortController | undefined = undefined;
  #interrupted = false;

  /** `isRepeated`: an earlier daemon has read the request before, and the kernel does not know that it is served again. */
  constructor(request: RequestReader, isRepeated = false) {
    this.opcode = request.opcode;
    this.nodeId = request.nodeId;
    this.uid = request.uid;
    this.gid = request.gid;
    this.pid = request.pid;
    this.resent = isRepeated || request.resent;
    this.uniqueLow = request.uniqueLow;
    this.uniqueHigh = request.uniqueHigh;
  }

  get key(): number {
    return requestKey(this.uniqueLow, this.uniqueHigh);
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#interrupted) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  interrupt(): void {
    this.#interrupted = true;
    this.#controller?.abort();
  }
}
