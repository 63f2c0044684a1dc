/**
 * The audited connection's mounts: an agent that publishes through it, and the bind mounts of its directories onto their
 * empty namesakes below projections/. They are mounts of the kernel and outlive the daemon; a start makes those that are missing
 * and takes away those that have no projection any more.
 *
 * All of it is done by agents: whoever holds /dev/fuse must not walk the tree.
 */
import type { Log } from '../../base/log.ts';
import { MountAgent } from '../../mounts/agent.ts';
import { readMountTable } from '../../mounts/mount-table.ts';
import { agentProgramPath } from '../../native/programs.ts';
import type { AuditedMount } from '../../projection/projection-directories.ts';
import { auditedPath, projectionPath, projectionsPath } from '../../tree/places.ts';
import type { MountOperation, ThroughMount } from '../../vfs/ports.ts';

export interface AuditedMountsOptions {
  readonly mountPoint: string;
  /** Of the projections mount. */
  readonly projectionsAgent: Pick<MountAgent, 'run'>;
  readonly log: Log;
}

const FILE_SYSTEM_TYPE = 'fuse.dunnage';

export class AuditedMounts implements AuditedMount {
  readonly #options: AuditedMountsOptions;
  /** Started when there is something to audit. */
  #agent: MountAgent | undefined;
  readonly throughMount: ThroughMount;

  constructor(options: AuditedMountsOptions) {
    this.#options = options;
    this.throughMount = {
      run: (directory: string, operations: readonly MountOperation[]) => this.#started().run(directory, operations),
    };
  }

  async attach(directory: string): Promise<number> {
    const target = projectionPath(this.#options.mountPoint, directory);
    const [errno = 0] = await this.#started().run('', [{ kind: 'attach', name: directory, target }]);
    return errno;
  }

  async detach(directory: string): Promise<number> {
    const [errno = 0] = await this.#options.projectionsAgent.run('', [{ kind: 'detach', name: directory }]);
    return errno;
  }

  /** `directories`: the audited projections there are. One that cannot be mounted is logged, and stays empty. */
  async reconcile(directories: ReadonlySet<string>): Promise<void> {
    const mounted = await this.#mounted();
    for (const directory of directories) {
      if (!mounted.has(directory)) this.#report(directory, await this.attach(directory), 'cannot be shown');
    }
    for (const directory of mounted) {
      if (!directories.has(directory)) this.#report(directory, await this.detach(directory), 'cannot be taken away');
    }
  }

  /** Idempotent. */
  async close(): Promise<void> {
    await this.#agent?.close();
  }

  #report(directory: string, errno: number, what: string): void {
    if (errno !== 0) this.#options.log.error({ directory, errno }, `an audited projection ${what}`);
  }

  /** Names below projections/ on which something of ours is mounted. */
  async #mounted(): Promise<Set<string>> {
    const parent = `${projectionsPath(this.#options.mountPoint)}/`;
    const rows = (await readMountTable()).filter(
      ({ type, mountPoint }) => type === FILE_SYSTEM_TYPE && mountPoint.startsWith(parent),
    );
    return new Set(rows.map(({ mountPoint }) => mountPoint.slice(parent.length)));
  }

  #started(): MountAgent {
    const { mountPoint, log } = this.#options;
    this.#agent ??= MountAgent.start({ programPath: agentProgramPath(), baseDirectory: auditedPath(mountPoint), log });
    return this.#agent;
  }
}
