/**
 * The mount agent: a child process that makes system calls through the mount, because nobody who serves /dev/fuse may
 * wait for it. The daemon plugs it in where the port `ThroughMount` is asked for. It ends with the thread that started
 * it; if it dies alone, the next `run` starts another.
 */
import { DunnageError } from '../errors/dunnage-error.ts';
import { AgentProcess, type AgentProcessOptions } from './agent-process.ts';
import type { AgentOperation } from './agent-protocol.ts';

/** One frame carries at most so many operations; longer runs are split, and stop at the first failure all the same. */
const OPERATIONS_PER_FRAME_MAX = 1024;

export type MountAgentOptions = AgentProcessOptions;

export class MountAgent {
  readonly #options: MountAgentOptions;
  #process: AgentProcess;
  #closed = false;

  private constructor(options: MountAgentOptions) {
    this.#options = options;
    this.#process = new AgentProcess(options);
  }

  /** Starts the child. That it could not be started is told by the first `run`. */
  static start(options: MountAgentOptions): MountAgent {
    return new MountAgent(options);
  }

  /** Of the present child; undefined if it could not be started or has ended. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  /**
   * Runs of different callers may overtake each other; whoever needs an order waits for the first.
   * @throws DunnageError INTERRUPTED if the agent ended before it answered (what was done is unknown then), INVALID_PATH or
   * NAME_TOO_LONG for names that cannot be, UNREACHABLE after `close`.
   */
  async run(directory: string, operations: readonly AgentOperation[]): Promise<readonly number[]> {
    const outcomes: number[] = [];
    for (let first = 0; first < operations.length; first += OPERATIONS_PER_FRAME_MAX) {
      const part = operations.slice(first, first + OPERATIONS_PER_FRAME_MAX);
      outcomes.push(...(await this.#livingProcess().run(directory, part)));
      if (outcomes.length < first + part.length || outcomes.at(-1) !== 0) break;
    }
    return outcomes;
  }

  /** Lets what runs finish (a few seconds at most), then ends the child. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#process.close();
  }

  #livingProcess(): AgentProcess {
    if (this.#closed) throw new DunnageError('UNREACHABLE', 'the mount agent is closed');
    if (this.#process.ended) {
      this.#process = new AgentProcess(this.#options);
      this.#options.log.warn({ pid: this.#process.pid }, 'mount agent started anew');
    }
    return this.#process;
  }
}
