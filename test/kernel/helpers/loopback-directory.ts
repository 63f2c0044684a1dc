/** The backing directory of a LoopbackMount, as alloc directories want it: mounts are made by an agent, the engine is in a child. */
import { mkdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { AllocMounts, BackingDirectory } from '../../../src/alloc/backing-directory.ts';
import { silentLog } from '../../../src/base/log.ts';
import { fromSystemError } from '../../../src/errors/dunnage-error.ts';
import { MountAgent } from '../../../src/mounts/agent.ts';
import { AgentMounts } from '../../../src/mounts/agent-mounts.ts';
import { agentProgramPath } from '../../../src/native/programs.ts';
import { systemError } from '../../../src/native/system-error.ts';
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
    await this.#command('seal', { path });
  }

  async unseal(path: string): Promise<void> {
    await this.#command('unseal', { path });
  }

  async changed(path: string): Promise<void> {
    const parent = dirname(path) === '.' ? '' : dirname(path);
    await this.#command('forget', { parent, name: basename(path) });
    await this.#command('refresh', { path: parent });
  }

  async attributesChanged(path: string): Promise<void> {
    await this.#command('refresh', { path });
  }

  /** Only the text of an error comes from the child: in the daemon it is a DunnageError. */
  async #command(name: string, fields: Record<string, string>): Promise<void> {
    try {
      await this.#mount.daemon.command(name, fields);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      const code = /: (E[A-Z]+): /.exec(text)?.[1];
      throw code === undefined ? error : fromSystemError(systemError(code, name, '', text), name);
    }
  }
}
