/** A directory on ext4 through the loopback engine, for the POSIX suites. */
import type { PosixPlace } from '../../conformance/posix/subject.ts';
import { diskPlace } from './disk-place.ts';
import { LoopbackMount, type LoopbackSettings } from './loopback.ts';

export interface LoopbackPlace extends PosixPlace {
  readonly mount: LoopbackMount;
}

export async function loopbackPlace(options: Pick<LoopbackSettings, 'without'> = {}): Promise<LoopbackPlace> {
  const disk = await diskPlace();
  let mount: LoopbackMount | undefined;
  const stop = async (): Promise<void> => {
    await mount?.clean();
    await disk.stop();
  };
  try {
    mount = await LoopbackMount.make({ ...options, disk: disk.directory });
    return { mount, directory: mount.path(), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
