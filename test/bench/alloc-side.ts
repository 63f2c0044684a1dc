/** Our side of the figures of alloc directories: a directory of the measured disk, shown by the loopback engine in a child. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ConnectionStatistics } from '../../src/fuse/statistics.ts';
import type { LoopbackStatistics } from '../../src/native/binding.ts';
import { LoopbackMount } from '../kernel/helpers/loopback.ts';

export interface AllocSide {
  /** Shown by the mount. */
  readonly directory: string;
  /** FUSE requests since the mount was made. */
  requests(): Promise<number>;
  close(): Promise<void>;
}

/** `parent`: on the disk that is measured. A string is the reason why nothing can be measured here. */
export async function startAllocSide(parent: string): Promise<AllocSide | string> {
  const disk = mkdtempSync(join(parent, 'da-'));
  const mount = await LoopbackMount.make({ disk });
  const close = async (): Promise<void> => {
    await mount.clean();
    rmSync(disk, { recursive: true, force: true });
  };
  const directory = mount.path('measured');
  mkdirSync(directory);
  const { isPassthrough } = await mount.daemon.command<LoopbackStatistics>('engine');
  if (!isPassthrough) {
    await close();
    return 'this kernel has no FUSE_PASSTHROUGH (Linux 6.9): the figures are for kernels that have it';
  }
  return {
    directory,
    requests: async () => (await mount.daemon.command<ConnectionStatistics>('statistics')).requests,
    close,
  };
}
