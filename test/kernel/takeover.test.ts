/** kill -9 of the daemon under readers, writers and watchers; the next `up` takes the mounted tree over. */
import assert from 'node:assert/strict';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { DunnageError } from '../../src/errors/dunnage-error.ts';
import type { FileProjection } from '../../src/projection/payload.ts';
import type { DaemonProcess } from '../tools/daemon-process.ts';
import { mountsBeneath } from './helpers/fuse-connections.ts';
import { InotifyWatch } from './helpers/inotify.ts';
import { hasEnded, untilEnded } from './helpers/process-end.ts';
import {
  killDaemon,
  projectionRoot,
  publishedDirectory,
  startDaemon,
  text,
  timestampDirectories,
} from './helpers/projected.ts';
import { generationFiles, Reader } from './helpers/reader.ts';

const KILLS = 20;
const NAMES = ['large', 'a', 'b', 'c'];

let daemon: DaemonProcess;

/** Writes until told to stop; a call that the kill cuts off is made again when a daemon answers. */
class Writer {
  last = 0;
  #stopped = false;
  readonly #running: Promise<void>;

  constructor(name: string) {
    this.#running = this.#run(name);
  }

  async #run(name: string): Promise<void> {
    while (!this.#stopped) {
      try {
        await daemon.client.writeProjection(name, generationFiles(NAMES, this.last + 1));
        this.last += 1;
      } catch (error) {
        const { code } = error as DunnageError;
        assert.ok(code === 'UNREACHABLE' || code === 'INTERRUPTED' || code === 'IO', String(error));
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }
}

const swapsSeen = (watch: InotifyWatch): number =>
  watch.seen.filter(({ events, name }) => events === 'MOVED_TO' && name === '..data').length;

async function generationNumber(name: string): Promise<number> {
  return (await daemon.client.getProjection('Projection', 'default', name)).generation;
}

describe('kill -9 and takeover', () => {
  before(async () => {
    daemon = await startDaemon();
  });
  after(() => daemon.stop());

  it(`[S5] fails no read, tears nothing and loses no event in ${KILLS} kills`, { timeout: 300_000 }, async (t) => {
    await daemon.client.writeProjection('busy', generationFiles(NAMES, 0));
    await daemon.client.writeProjection('still', text({ key: 'content' }));
    const root = projectionRoot(daemon, 'busy');
    const first = await generationNumber('busy');
    const watch = await InotifyWatch.start(root);
    const readers = await Promise.all([Reader.start(root, NAMES), Reader.start(root, NAMES)]);
    t.after(() => {
      for (const reader of readers) reader.kill();
    });
    const writer = new Writer('busy');
    try {
      for (let kill = 0; kill < KILLS; kill += 1) {
        // Other moments of a write each time.
        await new Promise((resolve) => setTimeout(resolve, 37 + kill * 3.1));
        await killDaemon(daemon);
        await daemon.up();
        const { takenOver } = await daemon.client.status();
        assert.ok(takenOver);
        assert.equal(await readFile(join(projectionRoot(daemon, 'still'), 'key'), 'utf8'), 'content');
      }
      await writer.stop();
      await daemon.client.writeProjection(
        'busy',
        new Map([...generationFiles(NAMES, writer.last + 1), ...text({ end: 'x' })]),
      );
      await watch.until(({ events, name }) => events === 'CREATE' && name === 'end');
      assert.equal(swapsSeen(watch), (await generationNumber('busy')) - first);
      assert.ok(writer.last > KILLS, `only ${writer.last} writes`);
    } finally {
      await writer.stop();
      await watch.stop();
    }
    for (const reader of readers) {
      const report = await reader.stop();
      const { failures, mixed, torn } = report;
      assert.deepEqual({ failures, mixed, torn }, { failures: [], mixed: 0, torn: 0 });
      assert.ok(report.generations > KILLS, `read ${report.generations} generations`);
    }
  });

  it('[S18] keeps what a watcher has seen, also when the daemon is killed at that moment', async () => {
    const names = Array.from({ length: 40 }, (_, index) => `file-${index}`);
    // Small enough for a record, and enough of them that the commit takes longer than the way of the event to us.
    const files = (round: number): Map<string, FileProjection> =>
      text(Object.fromEntries(names.map((name) => [name, `${name} ${round} ${'x'.repeat(100)}`])));
    await daemon.client.writeProjection('seen', files(0));
    const root = projectionRoot(daemon, 'seen');
    const first = await generationNumber('seen');
    const watch = await InotifyWatch.start(root);
    let cutOff = 0;
    try {
      for (let round = 1; round <= 8; round += 1) {
        const { pid } = await daemon.client.status();
        // The first swap of a daemon is made durable by a flush, and told of after its commit.
        await daemon.client.writeProjection('other', text({ round: String(round) }));
        let isDone = false;
        const written = daemon.client.writeProjection('seen', files(round)).then(
          () => {
            isDone = true;
          },
          () => undefined,
        );
        await watch.until(() => swapsSeen(watch) === round);
        process.kill(pid, 'SIGKILL');
        if (!isDone) cutOff += 1;
        await Promise.all([untilEnded(pid), written]);
        await daemon.up();
        assert.equal(await generationNumber('seen'), first + round);
        for (const [name, { data }] of files(round)) assert.deepEqual(await readFile(join(root, name)), data);
        assert.deepEqual(await publishedDirectory(root), (await timestampDirectories(root))[0]);
      }
    } finally {
      await watch.stop();
    }
    assert.ok(cutOff > 0, 'no write was still under way when its event came');
  });

  it('[S5] answers a call that waited for the dead daemon', async () => {
    await daemon.client.writeProjection('waiting', text({ key: 'content' }));
    await killDaemon(daemon);
    const looked = readFile(join(projectionRoot(daemon, 'waiting'), 'key'), 'utf8');
    await daemon.up();
    assert.equal(await looked, 'content');
  });

  it('leaves the tree to the next daemon on SIGTERM', async () => {
    await daemon.client.writeProjection('kept', text({ key: 'content' }));
    await daemon.dunnage('down', '--keep');
    assert.equal((await mountsBeneath(daemon.mountPoint)).length, 4);
    await daemon.up();
    assert.ok((await daemon.client.status()).takenOver);
    assert.equal(await readFile(join(projectionRoot(daemon, 'kept'), 'key'), 'utf8'), 'content');
  });

  it('keeps node ids: inode numbers are the same before and after', async () => {
    await daemon.client.writeProjection('ids', text({ key: 'content', 'directory/other': 'x' }));
    const inodes = async (): Promise<number[]> => {
      const root = projectionRoot(daemon, 'ids');
      return await Promise.all(
        ['', 'key', 'directory', 'directory/other', '..data/key'].map(
          async (name) => (await stat(join(root, name))).ino,
        ),
      );
    };
    const before = await inodes();
    await killDaemon(daemon);
    await daemon.up();
    assert.deepEqual(await inodes(), before);
  });
});

describe('dunnage down', () => {
  beforeEach(async () => {
    daemon = await startDaemon();
  });
  afterEach(() => daemon.stop());

  it('unmounts everything and ends daemon and holder', async () => {
    const { pid, holderPid } = await daemon.client.status();
    await daemon.dunnage('down');
    assert.deepEqual(await mountsBeneath(daemon.mountPoint), []);
    for (const ended of [pid, holderPid]) assert.ok(await hasEnded(ended as number));
    const left = await readdir(daemon.runtimeDir);
    assert.ok(!left.some((name) => name.endsWith('.sock')), left.join(', '));
  });

  it('clears away what a dead daemon left', async () => {
    const { holderPid } = await daemon.client.status();
    await killDaemon(daemon);
    await daemon.dunnage('down');
    assert.deepEqual(await mountsBeneath(daemon.mountPoint), []);
    assert.ok(await hasEnded(holderPid as number));
  });
});
