/** The kernel transport for the conformance suite: a child daemon that serves the sample file system. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Served, Transport } from '../../conformance/file-system/transport.ts';
import { ChildDaemon, MountFolder } from './child-daemon.ts';
import { mountTestsSkip, run } from './run.ts';
import type { SampleSettings } from './sample-server.ts';

export const SAMPLE_DAEMON: URL = new URL('./sample-daemon.js', import.meta.url);

export const kernelTransport: Transport = {
  name: 'the kernel transport',
  skip: mountTestsSkip(),
  lacks: {},
  start: startSample,
};

async function startSample(settings: Omit<SampleSettings, 'mountPoint'>): Promise<Served> {
  const folder = await MountFolder.make();
  const mountPoint = join(folder.path, 'mnt');
  let child: ChildDaemon | undefined;
  try {
    await mkdir(mountPoint);
    child = await ChildDaemon.start({
      module: SAMPLE_DAEMON,
      settings: { ...settings, mountPoint } satisfies SampleSettings,
    });
  } catch (error) {
    await folder.clean(child);
    throw error;
  }
  const daemon = child;
  return {
    mountPoint,
    command: (name, fields) => daemon.command(name, fields),
    unmount: async () => {
      await run('umount', [mountPoint]);
    },
    abort: () => folder.abort(),
    stop: () => folder.clean(daemon),
  };
}
