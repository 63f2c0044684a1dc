/** What a LoopbackMount shows, as alloc directories want it: mounts are made by an agent, the engine is in a child. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLog } from '../../../src/base/log.ts';
import { type LoopbackCommands, ServedDirectory } from '../../../src/daemon/allocs/served-directory.ts';
import { fromSystemError } from '../../../src/errors/dunnage-error.ts';
import { MountAgent } from '../../../src/mounts/agent.ts';
import { AgentMounts } from '../../../src/mounts/agent-mounts.ts';
import { agentProgramPath } from '../../../src/native/programs.ts';
import { systemError } from '../../../src/native/system-error.ts';
import type { LoopbackMount } from './loopback.ts';

export class LoopbackDirectory extends ServedDirectory {
  readonly #agent: MountAgent;

  private constructor(mount: LoopbackMount) {
    const { backing, mountPoint } = mount.settings;
    const beside = (name: string): string => join(mount.folder.path, name);
    const agent = MountAgent.start({ programPath: agentProgramPath(), baseDirectory: mountPoint, log: silentLog });
    super({
      places: { tree: backing, visible: mountPoint, staging: beside('staging'), taskMounts: beside('task-mounts') },
      runtimeDir: beside('runtime'),
      ownPaths: [mount.folder.path],
      loopback: commandsOf(mount),
      mounts: new AgentMounts({ agent }),
    });
    this.#agent = agent;
  }

  static async make(mount: LoopbackMount): Promise<LoopbackDirectory> {
    const directory = new LoopbackDirectory(mount);
    for (const path of [directory.stagingPath, directory.runtimePath, directory.mountsPath]) await mkdir(path);
    return directory;
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }
}

/** Only the text of an error comes from the child: in the daemon it is a DunnageError. */
function commandsOf(mount: LoopbackMount): LoopbackCommands {
  const command = async (name: string, fields: Record<string, string>): Promise<void> => {
    try {
      await mount.daemon.command(name, fields);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      const code = /: (E[A-Z]+): /.exec(text)?.[1];
      throw code === undefined ? error : fromSystemError(systemError(code, name, '', text), name);
    }
  };
  return {
    seal: (path) => command('seal', { path }),
    unseal: (path) => command('unseal', { path }),
    forget: (parent, name) => command('forget', { parent, name }),
    refresh: (path) => command('refresh', { path }),
  };
}
