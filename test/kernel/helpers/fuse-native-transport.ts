/** The transport fuse-native for the conformance suite: a child daemon that serves the sample file system through libfuse 2. */
import { join } from 'node:path';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import { loadFuseNative } from '../../../src/native/fuse-native.ts';
import type { Served, Transport } from '../../conformance/file-system/transport.ts';
import { ChildDaemon, MountFolder } from './child-daemon.ts';
import { mountTestsSkip, run } from './run.ts';

const DAEMON = new URL('./fuse-native-daemon.js', import.meta.url);

/** Why nothing can be served through fuse-native here; undefined if it can. */
export function fuseNativeSkip(): string | undefined {
  try {
    loadFuseNative();
  } catch (error) {
    if (error instanceof DunnageError) return `${error.message}; ${error.remedy}`;
    throw error;
  }
  return mountTestsSkip();
}

export const fuseNativeTransport: Transport = {
  name: 'fuse-native',
  skip: fuseNativeSkip(),
  lacks: {
    'zero-message': 'libfuse 2.9 asks for every open, and keeps names and links for a time only',
    'extended-attributes': 'fuse-native does not say how much room the caller has',
    interrupts: 'fuse-native does not tell of them',
    forget:
      'libfuse keeps the references by itself; test/fuse/fuse-native/path-table.test.ts has what stands in for it',
    abort: 'libfuse does not tell an abort from an unmount',
    nanoseconds: 'fuse-native has milliseconds',
    'open-for-writing': 'it is refused with EROFS when the file is opened',
    worker: 'fuse-native answers in the main thread of its process only',
  },
  start: startSample,
};

/** `leaseMs`: how long a path stays known after its last use. */
export async function startSample(
  settings: Parameters<Transport['start']>[0] & { readonly leaseMs?: number },
): Promise<Served> {
  const folder = await MountFolder.make();
  const mountPoint = join(folder.path, 'mnt');
  let child: ChildDaemon;
  try {
    child = await ChildDaemon.start({ module: DAEMON, settings: { ...settings, mountPoint } });
  } catch (error) {
    await folder.clean();
    throw error;
  }
  return {
    mountPoint,
    command: (name, fields) => child.command(name, fields),
    unmount: async () => {
      await run('umount', [mountPoint]);
    },
    abort: () => folder.abort(),
    stop: () => folder.clean(child),
  };
}
