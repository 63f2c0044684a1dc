/** The rules of the reference, through a real mount. The same suite runs on a plain directory in test/projection. */
import { after, before } from 'node:test';
import { MountedProjection } from '../../src/server/mounted-projection.ts';
import { atomicWriterConformance } from '../conformance/atomic-writer.ts';
import type { DaemonProcess } from '../tools/daemon-process.ts';
import { projectionRoot, publishedDirectory, startDaemon, timestampDirectories } from './helpers/projected.ts';

let daemon: DaemonProcess;
before(async () => {
  daemon = await startDaemon();
});
after(() => daemon.stop());

let count = 0;
atomicWriterConformance('AtomicWriter through a mount', async () => {
  const name = `conformance-${count++}`;
  const root = projectionRoot(daemon, name);
  const projection = new MountedProjection(daemon.client, name);
  return {
    root,
    async write(files) {
      const { changed } = await projection.write(files);
      return { changed, directoryName: await publishedDirectory(root) };
    },
    listTimestampDirectories: () => timestampDirectories(root),
    cleanup: () =>
      daemon.client.deleteProjection('Projection', 'default', name).catch((error: { code?: string }) => {
        if (error.code !== 'NOT_FOUND') throw error;
      }),
  };
});
