/** A mounted directory for tests of the loopback engine: backing directory, orphans and mount point side by side, served by a child. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLog } from '../../../src/base/log.ts';
import type { Feature } from '../../../src/fuse/abi.ts';
import { HolderClient } from '../../../src/fuse/holder-client.ts';
import { startHolder } from '../../../src/fuse/start-holder.ts';
import type { LoopbackStatistics } from '../../../src/native/binding.ts';
import { loadNative } from '../../../src/native/load.ts';
import { holderProgramPath } from '../../../src/native/programs.ts';
import { ChildDaemon, MountFolder } from './child-daemon.ts';

export interface LoopbackSettings {
  readonly mountPoint: string;
  readonly backing: string;
  readonly orphans: string;
  readonly holderSocket?: string;
  /** Features that are not asked for, as on a kernel without them. */
  readonly without?: readonly Feature[];
  readonly threads?: number;
}

export class LoopbackMount {
  readonly folder: MountFolder;
  readonly settings: LoopbackSettings;
  daemon!: ChildDaemon;

  private constructor(folder: MountFolder, settings: LoopbackSettings) {
    this.folder = folder;
    this.settings = settings;
  }

  /** With `holder` the mount outlives its daemon. `disk`: the directory is there, and not beside the mount point. */
  static async make(
    options: Pick<LoopbackSettings, 'without' | 'threads'> & {
      readonly holder?: boolean;
      readonly disk?: string | undefined;
      /** A name that lies in the orphan directory before the start. */
      readonly orphan?: string;
    } = {},
  ): Promise<LoopbackMount> {
    const folder = await MountFolder.make();
    const { holder = false, disk = folder.path, orphan, ...behaviour } = options;
    const settings: LoopbackSettings = {
      mountPoint: join(folder.path, 'mnt'),
      backing: join(disk, 'backing'),
      orphans: join(disk, 'orphans'),
      ...(holder ? { holderSocket: join(folder.path, 'holder.sock') } : {}),
      ...behaviour,
    };
    // Other users must get as far as the mount.
    await chmod(folder.path, 0o755);
    for (const path of [settings.mountPoint, settings.backing, settings.orphans]) await mkdir(path);
    if (orphan !== undefined) await writeFile(join(settings.orphans, orphan), '');
    if (settings.holderSocket !== undefined) {
      await startHolder({
        programPath: holderProgramPath(),
        socketPath: settings.holderSocket,
        timeoutSeconds: 60,
        mountPoint: settings.mountPoint,
        log: silentLog,
      });
    }
    const mount = new LoopbackMount(folder, settings);
    await mount.serve();
    return mount;
  }

  /** A daemon: the first, or the next after one that was killed. */
  async serve(): Promise<void> {
    const module = new URL('./loopback-daemon.js', import.meta.url);
    this.daemon = await ChildDaemon.start({ module, settings: this.settings });
  }

  /** Kills the daemon with SIGKILL; the holder keeps the mount. */
  kill(): Promise<void> {
    return this.daemon.kill();
  }

  async unmount(): Promise<void> {
    loadNative().unmount(this.settings.mountPoint, false);
  }

  engine(): Promise<LoopbackStatistics> {
    return this.daemon.command('engine');
  }

  path(...names: readonly string[]): string {
    return join(this.settings.mountPoint, ...names);
  }

  backing(...names: readonly string[]): string {
    return join(this.settings.backing, ...names);
  }

  orphans(): string {
    return this.settings.orphans;
  }

  async clean(): Promise<void> {
    await this.folder.abort();
    await this.daemon.kill();
    const { holderSocket } = this.settings;
    const holder = holderSocket === undefined ? undefined : HolderClient.connect(holderSocket);
    holder?.abort();
    holder?.close();
    await this.folder.clean();
  }
}
