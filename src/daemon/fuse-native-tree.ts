/**
 * The tree over the transport fuse-native: `projections/`, mounted on an ordinary directory, and nothing else. There is no
 * holder: the mount ends with the process that serves it, which ends with the daemon. What a daemon that was killed left
 * answers ENOTCONN, and is cleared away by the next start.
 */
import type { Log } from '../base/log.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import { HolderClient } from '../fuse/holder-client.ts';
import type { NegotiatedRecord } from '../fuse/init.ts';
import { allowsOther, requireDevice } from '../mounts/fusermount.ts';
import { projectionsPath } from '../tree/places.ts';
import type { DaemonOptions } from './daemon-options.ts';
import type { ConnectionName } from './fuse-messages.ts';
import type { FuseThread } from './fuse-thread-client.ts';
import { clearAbandonedMounts, unmountAllBeneath } from './mounted-tree.ts';
import { holderSocketPath } from './runtime-files.ts';
import type { ServedTree } from './served-tree.ts';
import { prepareMountPoint } from './tree-mount.ts';

export class FuseNativeTree implements ServedTree {
  readonly #mountPoint: string;
  readonly #log: Log;
  readonly holderPid: undefined;
  readonly held: undefined;
  readonly records: ReadonlyMap<ConnectionName, NegotiatedRecord> = new Map();
  readonly warnings: string[];
  readonly memoryDescriptor: undefined;
  readonly allocs: undefined;

  private constructor(mountPoint: string, log: Log, warnings: readonly string[]) {
    this.#mountPoint = mountPoint;
    this.#log = log;
    this.warnings = [...warnings];
  }

  /** @throws DunnageError ALREADY_RUNNING if another daemon's tree is mounted there, or waits for one to take it over. */
  static async attach(
    { mountPoint, runtimeDir }: Pick<DaemonOptions, 'mountPoint' | 'runtimeDir'>,
    log: Log,
    warnings: readonly string[],
  ): Promise<FuseNativeTree> {
    const holder = HolderClient.connect(holderSocketPath(runtimeDir));
    holder?.close();
    if (holder !== undefined) {
      throw new DunnageError('ALREADY_RUNNING', 'the tree of an earlier daemon waits to be taken over', {
        remedy: 'only the kernel transport can do that: start with --transport kernel, or end it with: dunnage down',
      });
    }
    await clearAbandonedMounts(mountPoint, log);
    return new FuseNativeTree(mountPoint, log, warnings);
  }

  async serve(thread: FuseThread): Promise<void> {
    const target = projectionsPath(this.#mountPoint);
    await requireDevice();
    await prepareMountPoint(target);
    const isForAll = await allowsOther();
    await thread.mount('projections', target, isForAll);
    this.#log.info({ name: 'projections', target, transport: 'fuse-native' }, 'mounted');
    for (const warning of this.warnings) this.#log.warn({}, warning);
    if (!isForAll) this.#log.warn({}, 'other users cannot look into the tree: /etc/fuse.conf has no user_allow_other');
  }

  async unmount(): Promise<void> {
    await unmountAllBeneath(this.#mountPoint, this.#log);
  }

  leave(): void {
    // Nothing is kept for anybody.
  }
}
