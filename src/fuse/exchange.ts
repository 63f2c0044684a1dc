/**
 * Request in, reply out: finds the handler of a request, and turns what the file system returns, resolves to or throws
 * into exactly one reply. Knows no operation itself (see `operations/`).
 *
 * A plain value is answered before the next request is read; only promises are kept in flight.
 */
import { constants } from 'node:os';
import type { NodeId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { DunnageError, toErrno } from '../errors/dunnage-error.ts';
import type { Channel } from '../native/binding.ts';
import type { Awaitable, Entry, FileSystem } from '../vfs/file-system.ts';
import type { KernelCache } from '../vfs/ports.ts';
import { type Feature, OPCODE, opcodeName } from './abi.ts';
import { RequestReader } from './decode.ts';
import { encodeEntry, ReplyWriter } from './encode.ts';
import type { InFlight } from './in-flight.ts';
import { PendingRequest } from './pending-request.ts';
import type { RequestJournal } from './request-journal.ts';
import type { RequestCounters } from './statistics.ts';
import { WireError } from './wire-error.ts';

/** Reads the rest of the current request, calls the file system and passes the outcome to `answer` or `refuse`. */
export type Handler = (exchange: Exchange) => void;

export interface ExchangeOptions {
  readonly name: string;
  readonly channel: Pick<Channel, 'requestBuffer' | 'replyBuffer' | 'send'>;
  readonly fileSystem: FileSystem;
  readonly kernelCache: KernelCache;
  readonly inFlight: InFlight;
  readonly counters: RequestCounters;
  readonly handlers: readonly (Handler | undefined)[];
  readonly log: Log;
}

const { ENOENT, ENOSYS, ENODEV, ECONNABORTED } = constants.errno;

/** Nothing waits for an answer to these, whatever becomes of them. */
const WITHOUT_REPLY: ReadonlySet<number> = new Set([
  OPCODE.FORGET,
  OPCODE.BATCH_FORGET,
  OPCODE.INTERRUPT,
  OPCODE.NOTIFY_REPLY,
]);

export class Exchange {
  readonly fileSystem: FileSystem;
  readonly request: RequestReader;
  readonly reply: ReplyWriter;
  readonly kernelCache: KernelCache;
  readonly inFlight: InFlight;
  readonly log: Log;
  readonly name: string;
  /** What INIT agreed on. */
  features: ReadonlySet<Feature> = new Set();
  /** The request being dispatched; handlers pass it on as the caller. Valid until the handler returns. */
  caller!: PendingRequest;
  /** Survives this process; only where the kernel cannot send requests again. Its memory is the channel's request buffer. */
  journal: RequestJournal | undefined = undefined;
  readonly #channel: ExchangeOptions['channel'];
  readonly #counters: RequestCounters;
  readonly #handlers: ExchangeOptions['handlers'];
  #closed = false;

  constructor(options: ExchangeOptions) {
    this.name = options.name;
    this.fileSystem = options.fileSystem;
    this.kernelCache = options.kernelCache;
    this.inFlight = options.inFlight;
    this.log = options.log;
    this.request = new RequestReader(options.channel.requestBuffer);
    this.reply = new ReplyWriter(options.channel.replyBuffer);
    this.#channel = options.channel;
    this.#counters = options.counters;
    this.#handlers = options.handlers;
  }

  /** Takes the request in the channel's buffer. Never throws. */
  receive(lengthBytes: number): void {
    if (!this.#begin(lengthBytes)) return;
    const { request } = this;
    if (request.resent && this.inFlight.adopt(request.uniqueLow, request.uniqueHigh)) return;
    this.#dispatch(new PendingRequest(request), lengthBytes);
  }

  /** Serves what the journal says an earlier daemon left unanswered. Before the channel is started. Never throws. */
  replay(): void {
    this.journal?.replay((lengthBytes, slot) => {
      if (!this.#begin(lengthBytes)) return;
      const caller = new PendingRequest(this.request, true);
      caller.journalSlot = slot;
      this.#dispatch(caller, lengthBytes);
    });
  }

  /** Takes the header; false if the message cannot be answered. */
  #begin(lengthBytes: number): boolean {
    const { request } = this;
    // Unique 0 marks notifications: a reply with it would be taken for one.
    if (!request.begin(lengthBytes) || (request.uniqueLow | request.uniqueHigh) === 0) {
      this.#counters.malformed += 1;
      this.log.error({ connection: this.name, lengthBytes }, 'request is malformed and cannot be answered');
      return false;
    }
    this.#counters.count(request.opcode);
    return true;
  }

  #dispatch(caller: PendingRequest, lengthBytes: number): void {
    const { request } = this;
    this.caller = caller;
    try {
      request.checkHeader(lengthBytes);
      const handler = this.#handlers[request.opcode];
      if (handler === undefined) this.refuse(ENOSYS);
      else handler(this);
    } catch (error) {
      this.#fail(caller, error);
    }
  }

  /** Replies with what `encode` writes of the value. `undelivered` undoes what the value gave to a kernel that did not take it. */
  answer<T>(
    result: Awaitable<T>,
    encode: (reply: ReplyWriter, value: T) => void,
    undelivered?: (value: T) => void,
  ): void {
    const { caller } = this;
    if (!(result instanceof Promise)) {
      this.#complete(caller, result, encode, undelivered);
      return;
    }
    if (!caller.isAnswered) this.#keep(caller);
    this.inFlight.add(caller);
    result.then(
      (value) => {
        if (this.#closed) return;
        this.inFlight.remove(caller);
        try {
          this.#complete(caller, value, encode, undelivered);
        } catch (error) {
          this.#fail(caller, error);
        }
      },
      (error: unknown) => {
        if (this.#closed) return;
        this.inFlight.remove(caller);
        this.#fail(caller, error);
      },
    );
  }

  /** Replies with an entry: a reference to its node, which is given back if the kernel did not take the reply. */
  answerEntry(result: Awaitable<Entry>): void {
    this.answer(result, encodeEntry, this.#forgetEntry);
  }

  /** Replies with success and nothing else once the result is there. */
  answerDone(result: Awaitable<void>): void {
    this.answer(result, encodeNothing);
  }

  /** Replies with success and nothing else before the result is there: then nothing of it is sent any more. */
  answerAhead(caller: PendingRequest): void {
    this.#complete(caller, undefined, encodeNothing, undefined);
  }

  /** Replies with success and nothing else. */
  done(): void {
    this.#complete(this.caller, undefined, encodeNothing, undefined);
  }

  /** Replies with a positive errno. */
  refuse(errno: number): void {
    this.#send(this.caller, errno);
  }

  /** From now on nothing is sent; what is in flight is abandoned. */
  close(): void {
    this.#closed = true;
    this.inFlight.abandon();
  }

  /** The request goes on after its handler has returned, and what is in the channel's buffer is overwritten by the next. */
  #keep(caller: PendingRequest): void {
    if (this.journal === undefined || caller.journalSlot !== undefined) return;
    caller.journalSlot = this.journal.keep();
    if (caller.journalSlot !== undefined) return;
    this.#counters.unjournaled += 1;
    if (this.#counters.unjournaled > 1) return;
    const fields = { connection: this.name, operation: opcodeName(caller.opcode), inFlight: this.inFlight.size };
    this.log.warn(fields, 'a request has no room in the journal: it hangs if this daemon dies before the answer');
  }

  readonly #forgetEntry = (entry: Entry): void => {
    if (entry.attributes !== undefined) this.fileSystem.forget(entry.attributes.nodeId as NodeId, 1);
  };

  #complete<T>(
    caller: PendingRequest,
    value: T,
    encode: (reply: ReplyWriter, value: T) => void,
    undelivered: ((value: T) => void) | undefined,
  ): void {
    if (caller.isAnswered) return;
    this.reply.begin();
    encode(this.reply, value);
    if (!this.#send(caller, 0)) undelivered?.(value);
  }

  /** True if the kernel took the reply. */
  #send(caller: PendingRequest, errno: number): boolean {
    if (this.#closed) return false;
    const { reply } = this;
    const lengthBytes = reply.finish(caller.uniqueLow, caller.uniqueHigh, errno);
    const sendErrno = this.#channel.send(lengthBytes, reply.data);
    caller.isAnswered = true;
    if (caller.journalSlot !== undefined) {
      this.journal?.free(caller.journalSlot);
      caller.journalSlot = undefined;
    }
    if (sendErrno === 0) return true;
    // ENOENT: nobody waits any more. ENODEV, ECONNABORTED: the connection is over, the channel says so by itself.
    if (sendErrno !== ENOENT && sendErrno !== ENODEV && sendErrno !== ECONNABORTED) {
      this.#counters.failedReplies += 1;
      const fields = {
        connection: this.name,
        operation: opcodeName(caller.opcode),
        node: caller.nodeId,
        errno: sendErrno,
      };
      this.log.error(fields, 'the kernel did not take a reply');
    }
    return false;
  }

  #fail(caller: PendingRequest, error: unknown): void {
    const operation = opcodeName(caller.opcode);
    const fields = { connection: this.name, operation, node: caller.nodeId };
    if (error instanceof WireError) {
      this.log.debug({ ...fields, errno: error.errno, reason: error.message }, 'request is refused');
    } else if (error instanceof DunnageError && caller.isAnswered) {
      this.log.error({ ...fields, code: error.code }, 'a request failed after it was answered');
    } else if (error instanceof DunnageError) {
      this.log.debug({ ...fields, code: error.code, reason: error.message }, 'request is refused');
    } else {
      // The message may hold a name or a piece of content: only where it was thrown is logged above debug.
      this.#counters.exceptions += 1;
      this.log.error({ ...fields, at: whereThrown(error) }, 'exception while serving a request');
      this.log.debug({ ...fields, reason: String(error) }, 'exception while serving a request');
    }
    if (WITHOUT_REPLY.has(caller.opcode) || caller.isAnswered) return;
    this.#send(caller, error instanceof WireError ? error.errno : toErrno(error));
  }
}

function encodeNothing(): void {
  // The header is the whole reply.
}

/** Class and stack frames of an exception, without its message. */
function whereThrown(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return [error.name, ...frames.slice(0, 5).map((line) => line.trim())].join(' ');
}
