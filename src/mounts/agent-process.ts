/** One dunnage-agent process, from start to end: running -> closing -> ended. Never restarted; `MountAgent` does that. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import type { Log } from '../base/log.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import { type AgentOperation, encodeBatch, ReplyReader } from './agent-protocol.ts';

/** How long `close` waits for runs under way, and then for the process to end, each time. */
const CLOSE_WAIT_MS = 3_000;

export interface AgentProcessOptions {
  /** Absolute. */
  readonly programPath: string;
  /** In front of the base directory; none for dunnage-agent. */
  readonly programArguments?: readonly string[];
  /** Absolute path of the projections mount. */
  readonly baseDirectory: string;
  readonly log: Log;
}

interface Pending {
  readonly resolve: (outcomes: readonly number[]) => void;
  readonly reject: (error: DunnageError) => void;
}

export class AgentProcess {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #log: Log;
  readonly #pending = new Map<number, Pending>();
  readonly #replies = new ReplyReader();
  readonly #end: Promise<void>;
  #failure: DunnageError | undefined;
  #ended = false;
  #closing: Promise<void> | undefined;
  #nextId = 1;
  #idle: (() => void) | undefined;

  constructor(options: AgentProcessOptions) {
    const { programPath, programArguments = [], baseDirectory } = options;
    this.#log = options.log;
    this.#child = spawn(programPath, [...programArguments, baseDirectory], { stdio: 'pipe', env: {}, cwd: '/' });
    this.#child.stdout.on('data', (piece: Buffer) => this.#receive(piece));
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#log.warn({ pid: this.#child.pid, text: text.trim() }, 'mount agent complains');
    });
    // A pipe that breaks is the end of the process, which is reported by itself.
    this.#child.stdin.on('error', () => this.#child.kill('SIGKILL'));
    this.#child.on('error', (cause) => this.#fail(startError(options.programPath, cause)));
    // Not `exit`: replies it wrote before it ended are still in the pipe then.
    this.#end = new Promise((resolve) => {
      this.#child.on('close', (exitCode, signal) => {
        this.#finish(exitCode, signal);
        resolve();
      });
    });
  }

  get pid(): number | undefined {
    return this.#ended ? undefined : this.#child.pid;
  }

  get ended(): boolean {
    return this.#ended;
  }

  run(directory: string, operations: readonly AgentOperation[]): Promise<readonly number[]> {
    return new Promise((resolve, reject) => {
      const id = this.#takeId();
      const frame = encodeBatch(id, directory, operations);
      this.#pending.set(id, { resolve, reject });
      this.#child.stdin.write(frame);
    });
  }

  /** Idempotent; resolves also if the process cannot be ended (it waits in the kernel), which is logged. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#pending.size > 0) await within(CLOSE_WAIT_MS, new Promise<void>((resolve) => (this.#idle = resolve)));
    if (this.#ended) return;
    this.#child.stdin.end();
    if (await within(CLOSE_WAIT_MS, this.#end)) return;
    this.#child.kill('SIGKILL');
    if (await within(CLOSE_WAIT_MS, this.#end)) return;
    this.#abandon();
    this.#log.warn({ pid: this.#child.pid }, 'mount agent does not end: it waits for an answer of the mount');
  }

  /** Nothing of it may keep the daemon alive or waiting any more. */
  #abandon(): void {
    for (const pipe of this.#child.stdio) pipe?.destroy();
    this.#child.unref();
    this.#rejectAll(
      new DunnageError('TIMED_OUT', `the mount agent (pid ${this.#child.pid}) waits for an answer of the mount`, {
        remedy: 'end the connection: echo 1 > /sys/fs/fuse/connections/<minor>/abort',
      }),
    );
  }

  #takeId(): number {
    while (this.#pending.has(this.#nextId)) this.#nextId = (this.#nextId + 1) >>> 0;
    const id = this.#nextId;
    this.#nextId = (this.#nextId + 1) >>> 0;
    return id;
  }

  #receive(piece: Buffer): void {
    try {
      for (const { id, outcomes } of this.#replies.push(piece)) {
        this.#pending.get(id)?.resolve(outcomes);
        this.#pending.delete(id);
      }
    } catch (error) {
      if (!(error instanceof DunnageError)) throw error;
      this.#fail(error);
      this.#child.kill('SIGKILL');
    }
    if (this.#pending.size === 0) this.#idle?.();
  }

  /** `close` of the child follows in each case; the reason that is told is the first one. */
  #fail(error: DunnageError): void {
    this.#failure ??= error;
  }

  #finish(exitCode: number | null, signal: NodeJS.Signals | null): void {
    const how = signal === null ? `with exit code ${exitCode}` : `by ${signal}`;
    this.#rejectAll(
      this.#failure ??
        new DunnageError('INTERRUPTED', `the mount agent (pid ${this.#child.pid}) ended ${how} before it answered`, {
          remedy: 'try again: it is started anew',
        }),
    );
  }

  #rejectAll(error: DunnageError): void {
    this.#ended = true;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
    this.#idle?.();
  }
}

function startError(programPath: string, cause: Error): DunnageError {
  return new DunnageError('MISSING_DEPENDENCY', `cannot start the mount agent ${programPath}: ${cause.message}`, {
    remedy: 'build it: npm run build',
    cause,
  });
}

/** True if the promise resolved in time. The timer keeps nobody alive by itself. */
async function within(timeoutMs: number, promise: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs);
  });
  const done = await Promise.race([promise.then(() => true as const), timeout]);
  clearTimeout(timer);
  return done;
}
