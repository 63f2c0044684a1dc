/** The backing directory of a LoopbackMount, as alloc directories want it: mounts are made by an agent, the engine is in a child. */
import { mkdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { AllocMounts, BackingDirectory } from '../../../src/alloc/backing-directory.ts';
import { silentLog } from '../../../src/base/log.ts';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import { MountAgent } from '../../../src/mounts/agent.ts';
import { AgentMounts } from '../../../src/mounts/agent-mounts.ts';
import { agentProgramPath } from '../../../src/native/programs.ts';
import type { LoopbackMount } from './loopback.ts';

export class LoopbackDirectory implements BackingDirectory {
  readonly path: string;
  readonly visiblePath: string;
  readonly stagingPath: string;
  readonly runtimePath: string;
  readonly mountsPath: string;
  readonly ownPaths: readonly string[];
  readonly mounts: AllocMounts;
  readonly #mount: LoopbackMount;
  readonly #agent: MountAgent;

  private constructor(mount: LoopbackMount) {
    this.#mount = mount;
    this.path = mount.settings.backing;
    this.visiblePath = mount.settings.mountPoint;
    this.stagingPath = join(mount.folder.path, 'staging');
    this.runtimePath = join(mount.folder.path, 'runtime');
    this.mountsPath = join(mount.folder.path, 'task-mounts');
    this.ownPaths = [mount.folder.path];
    this.#agent = MountAgent.start({
      programPath: agentProgramPath(),
      baseDirectory: this.visiblePath,
      log: silentLog,
    });
    this.mounts = new AgentMounts({ agent: this.#agent });
  }

  static async make(mount: LoopbackMount): Promise<LoopbackDirectory> {
    const directory = new LoopbackDirectory(mount);
    for (const path of [directory.stagingPath, directory.runtimePath, directory.mountsPath]) await mkdir(path);
    return directory;
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }

  async seal(path: string): Promise<void> {
    await this.#mount.daemon.command('seal', { path });
  }

  async unseal(path: string): Promise<void> {
    try {
      await this.#mount.daemon.command('unseal', { path });
    } catch (error) {
      // Only its text comes from the child.
      const isMissing = error instanceof Error && error.message.includes('ENOENT');
      throw isMissing ? new DunnageError('NOT_FOUND', error.message) : error;
    }
  }

  async changed(path: string): Promise<void> {
    const parent = dirname(path) === '.' ? '' : dirname(path);
    await this.#mount.daemon.command('forget', { parent, name: basename(path) });
    await this.#mount.daemon.command('refresh', { path: parent });
  }

  async attributesChanged(path: string): Promise<void> {
    await this.#mount.daemon.command('refresh', { path });
  }
}
