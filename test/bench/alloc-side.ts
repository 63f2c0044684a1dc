/** Our side of the figures of alloc directories: `alloc/data` of an alloc, shown by a daemon that users would start. */
import { release } from 'node:os';
import { join } from 'node:path';
import type { DaemonProcess } from '../tools/daemon-process.ts';

/** Passthrough of reads and writes. */
const LINUX_MIN: readonly [number, number] = [6, 9];
const NAME = 'measured';

export interface AllocSide {
  /** Shown by the mount. */
  readonly directory: string;
  /** FUSE requests since the mount was made. */
  requests(): Promise<number>;
}

/** A string is the reason why nothing can be measured here. */
export async function startAllocSide(startDaemon: () => Promise<DaemonProcess>): Promise<AllocSide | string> {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  if (major < LINUX_MIN[0] || (major === LINUX_MIN[0] && minor < LINUX_MIN[1])) {
    return `Linux ${release()} has no FUSE_PASSTHROUGH (6.9): the figures are for kernels that have it`;
  }
  const daemon = await startDaemon();
  const spec = { tasks: [{ name: 'task' }] };
  await daemon.client.apply(
    JSON.stringify({ apiVersion: 'dunnage/v1', kind: 'Alloc', metadata: { name: NAME }, spec }),
  );
  return {
    directory: join(daemon.mountPoint, 'allocs', NAME, 'alloc/data'),
    requests: async () => {
      const { connections } = await daemon.client.status();
      const connection = connections.find(({ name }) => name === 'allocs');
      if (connection === undefined) throw new Error('the daemon reports no connection named allocs');
      return connection.requests;
    },
  };
}
