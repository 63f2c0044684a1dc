/** The mount agent of the root connection: started when watchers of live files are to be told for the first time. */
import type { Log } from '../base/log.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import { MountAgent } from '../mounts/agent.ts';
import { agentProgramPath } from '../native/programs.ts';
import type { MountOperation, ThroughMount } from '../vfs/ports.ts';

export interface LiveAgentOptions {
  readonly mountPoint: string;
  readonly log: Log;
  readonly programPath?: string;
}

export class LiveAgent implements ThroughMount {
  readonly #options: LiveAgentOptions;
  #agent: MountAgent | undefined;
  #isClosed = false;

  constructor(options: LiveAgentOptions) {
    this.#options = options;
  }

  /** Of the child; undefined before the first run. */
  get pid(): number | undefined {
    return this.#agent?.pid;
  }

  async run(directory: string, operations: readonly MountOperation[]): Promise<readonly number[]> {
    if (this.#isClosed) throw new DunnageError('UNREACHABLE', 'the mount agent is closed');
    const { mountPoint, log, programPath = agentProgramPath() } = this.#options;
    this.#agent ??= MountAgent.start({ programPath, baseDirectory: mountPoint, log });
    return await this.#agent.run(directory, operations);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#agent?.close();
  }
}
