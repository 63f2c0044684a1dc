/**
 * Alloc directories in any directory of the host, without a daemon: containers see the files where they are. What seals a
 * directory there is its mode alone (0000, root's), which TaskDir gives it.
 */
import { chmod, mkdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { type Log, silentLog } from '../base/log.ts';
import { fromSystemError } from '../errors/dunnage-error.ts';
import { MountAgent } from '../mounts/agent.ts';
import { AgentMounts } from '../mounts/agent-mounts.ts';
import { agentProgramPath } from '../native/programs.ts';
import type { AllocMounts, BackingDirectory } from './backing-directory.ts';

export interface PlainDirectoryOptions {
  /** Made if it is missing, mode 0711. */
  readonly path: string;
  /** A directory on a tmpfs, where `secrets` are mounted. Made if it is missing, mode 0700. */
  readonly runtimePath: string;
  /** For tasks with unveil isolation; `mounts` beneath `runtimePath` by default. Made if it is missing, mode 0711. */
  readonly mountsPath?: string;
  readonly log?: Log;
}

const STAGING_NAME = '.staging';

export class PlainDirectory implements BackingDirectory {
  readonly path: string;
  readonly visiblePath: string;
  readonly stagingPath: string;
  readonly runtimePath: string;
  readonly mountsPath: string;
  readonly ownPaths: readonly string[];
  readonly mounts: AllocMounts;
  readonly #agent: MountAgent;

  private constructor(path: string, runtimePath: string, mountsPath: string, log: Log) {
    this.path = path;
    this.visiblePath = path;
    this.stagingPath = join(path, STAGING_NAME);
    this.runtimePath = runtimePath;
    this.mountsPath = mountsPath;
    this.ownPaths = [path, runtimePath, mountsPath];
    this.#agent = MountAgent.start({ programPath: agentProgramPath(), baseDirectory: path, log });
    this.mounts = new AgentMounts({ agent: this.#agent });
  }

  /** @throws DunnageError if a directory is missing and cannot be made. */
  static async open(options: PlainDirectoryOptions): Promise<PlainDirectory> {
    const path = await made(options.path, 0o711);
    const runtimePath = await made(options.runtimePath, 0o700);
    // Tasks reach it, so it cannot be beneath what only root may enter unless they are given it as a bind mount.
    const mountsPath = await made(options.mountsPath ?? join(runtimePath, 'mounts'), 0o711);
    await made(join(path, STAGING_NAME), 0o700);
    return new PlainDirectory(path, runtimePath, mountsPath, options.log ?? silentLog);
  }

  /** Ends the process that mounts. What is mounted stays. Idempotent. */
  async close(): Promise<void> {
    await this.#agent.close();
  }

  async seal(): Promise<void> {}
  async unseal(): Promise<void> {}
  /** Nothing lies between the files and who looks at them. */
  async changed(): Promise<void> {}
  async attributesChanged(): Promise<void> {}
}

/** Its path without symbolic links. One that exists keeps its mode. */
async function made(path: string, mode: number): Promise<string> {
  try {
    if ((await mkdir(path, { recursive: true, mode })) !== undefined) await chmod(path, mode);
    return await realpath(path);
  } catch (error) {
    throw fromSystemError(error, `cannot make ${path}`);
  }
}
