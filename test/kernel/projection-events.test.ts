/** What a watcher of a projected directory is told: on the host, through a bind mount, and in another mount namespace. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { DaemonProcess } from '../tools/daemon-process.ts';
import { InotifyWatch, type SeenEvent } from './helpers/inotify.ts';
import { projectionRoot, publishedDirectory, startDaemon, TEST_PARENT, text } from './helpers/projected.ts';
import { run } from './helpers/run.ts';

let daemon: DaemonProcess;
let target: string;
before(async () => {
  daemon = await startDaemon();
  target = await mkdtemp(join(TEST_PARENT, 'watch-'));
});
after(async () => {
  await daemon.stop();
  await rm(target, { recursive: true, force: true });
});

interface Place {
  readonly name: string;
  watch(root: string): Promise<InotifyWatch>;
  leave(): Promise<void>;
}

const places: readonly Place[] = [
  { name: 'the directory', watch: (root) => InotifyWatch.start(root), leave: async () => undefined },
  {
    name: 'a bind mount',
    async watch(root) {
      await run('mount', ['--bind', root, target]);
      return await InotifyWatch.start(target);
    },
    leave: async () => void (await run('umount', [target])),
  },
  {
    name: 'a read-only bind mount in another mount namespace',
    watch: (root) => InotifyWatch.startInNamespace(root, target),
    leave: async () => undefined,
  },
];

const lastDelete = ({ events, name }: SeenEvent): boolean => events.startsWith('DELETE') && name === 'gone';
const published = ({ events, name }: SeenEvent): boolean => events === 'MOVED_TO' && name === '..data';

for (const [position, place] of places.entries()) {
  describe(`a watcher of ${place.name}`, () => {
    it('[S3] sees the swap, then the new links, then the stale ones go, in the order they happen', async () => {
      const name = `ordered-${position}`;
      await daemon.client.writeProjection(name, text({ stays: '1', gone: '1' }));
      const root = projectionRoot(daemon, name);
      const watch = await place.watch(root);
      try {
        await daemon.client.writeProjection(name, text({ stays: '2', added: '2' }));
        await watch.until(lastDelete);
        const directory = await publishedDirectory(root);
        assert.deepEqual(watch.seen, [
          { events: 'CREATE,ISDIR', name: directory },
          { events: 'CREATE', name: '..data_tmp' },
          { events: 'MOVED_FROM', name: '..data_tmp' },
          { events: 'MOVED_TO', name: '..data' },
          { events: 'CREATE', name: 'added' },
          { events: 'DELETE', name: 'gone' },
        ]);
      } finally {
        await watch.stop();
        await place.leave();
      }
    });

    it('[S3] is told of every one of many swaps, and of nothing when nothing changes', async () => {
      const name = `counted-${position}`;
      await daemon.client.writeProjection(name, text({ key: '0' }));
      const watch = await place.watch(projectionRoot(daemon, name));
      try {
        for (let round = 1; round <= 50; round += 1) {
          await daemon.client.writeProjection(name, text({ key: String(round) }));
          await daemon.client.writeProjection(name, text({ key: String(round) }));
        }
        await daemon.client.writeProjection(name, text({ key: '50', gone: 'x' }));
        await daemon.client.writeProjection(name, text({ key: '50' }));
        await watch.until(lastDelete);
        assert.equal(watch.seen.filter(published).length, 52);
      } finally {
        await watch.stop();
        await place.leave();
      }
    });
  });
}

describe('a watcher of projections/', () => {
  it('[S3] sees projections come and go', async () => {
    const watch = await InotifyWatch.start(join(daemon.mountPoint, 'projections'));
    try {
      await daemon.client.writeProjection('gone', text({ a: '1' }));
      await daemon.client.deleteProjection('Projection', 'default', 'gone');
      await watch.until(lastDelete);
      assert.deepEqual(watch.seen, [
        { events: 'CREATE,ISDIR', name: 'gone' },
        { events: 'DELETE,ISDIR', name: 'gone' },
      ]);
    } finally {
      await watch.stop();
    }
  });
});
