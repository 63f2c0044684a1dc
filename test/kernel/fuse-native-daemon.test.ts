/**
 * A daemon over the transport fuse-native, as users start it. Promises of SEMANTICS.md that hold here too are tried again,
 * with fewer rounds; those that do not are listed there.
 */
import assert from 'node:assert/strict';
import { open, readdir, readFile, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { KeyedMutex } from '../../src/base/mutex.ts';
import { MountedProjection } from '../../src/server/mounted-projection.ts';
import { atomicWriterConformance } from '../conformance/atomic-writer.ts';
import type { DaemonProcess } from '../tools/daemon-process.ts';
import { until } from '../tools/until.ts';
import { mountsBeneath } from './helpers/fuse-connections.ts';
import { fuseNativeSkip } from './helpers/fuse-native-transport.ts';
import { InotifyWatch } from './helpers/inotify.ts';
import { untilEnded } from './helpers/process-end.ts';
import {
  killDaemon,
  projectionRoot,
  publishedDirectory,
  startDaemon,
  text,
  timestampDirectories,
} from './helpers/projected.ts';
import { generationFiles, Reader } from './helpers/reader.ts';
import { run } from './helpers/run.ts';
import { stayInside } from './helpers/stay-inside.ts';

const SWAPS = 200;
const NAMES = ['large', 'a', 'b', 'c'];
/** Longer than a replaced generation is found by its name without anybody having used it. */
const AFTER_GRACE_MS = 2_500;

const skip = fuseNativeSkip();

describe('projections over fuse-native', { timeout: 300_000, ...(skip === undefined ? {} : { skip }) }, () => {
  let daemon: DaemonProcess;
  before(async () => {
    daemon = await startDaemon('--transport', 'fuse-native');
  });
  after(() => daemon.stop());

  const write = (name: string, files: Readonly<Record<string, string>>): Promise<unknown> =>
    daemon.client.writeProjection(name, text(files));
  const pathOf = (...parts: [string, ...string[]]): string => join(projectionRoot(daemon, parts[0]), ...parts.slice(1));

  it('the status says which transport serves, and what it lacks', async () => {
    const status = await daemon.client.status();
    assert.equal(status.transport, 'fuse-native');
    assert.equal(status.holderPid, undefined);
    assert.deepEqual(
      status.connections.map(({ name, mountPoint, protocol }) => [name, mountPoint, protocol]),
      [['projections', join(daemon.mountPoint, 'projections'), 'libfuse 2']],
    );
    assert.ok(status.warnings.some((warning) => warning.includes('the tree ends with the daemon')));
    assert.match(await daemon.dunnage('status'), /^Transport: +fuse-native$/m);
  });

  let count = 0;
  atomicWriterConformance(
    'AtomicWriter over fuse-native',
    async () => {
      const name = `conformance-${count++}`;
      const root = projectionRoot(daemon, name);
      const projection = new MountedProjection(daemon.client, name);
      // One after another: while a swap is made, ..data cannot always be read here.
      const writing = new KeyedMutex<string>();
      return {
        root,
        write: (files) =>
          writing.run(name, async () => {
            const { changed } = await projection.write(files);
            return { changed, directoryName: await publishedDirectory(root) };
          }),
        listTimestampDirectories: () => timestampDirectories(root),
        cleanup: () =>
          daemon.client.deleteProjection('Projection', 'default', name).catch((error: { code?: string }) => {
            if (error.code !== 'NOT_FOUND') throw error;
          }),
      };
    },
    { sequences: 10 },
  );

  describe('a swap', () => {
    it('[S3] is seen by a watcher as the reference makes it', async () => {
      await write('watched', { stays: '1', gone: '1' });
      const watch = await InotifyWatch.start(pathOf('watched'));
      try {
        await write('watched', { stays: '2', added: '2' });
        await watch.until(({ events, name }) => events === 'DELETE' && name === 'gone');
        assert.deepEqual(watch.seen, [
          { events: 'CREATE,ISDIR', name: await publishedDirectory(pathOf('watched')) },
          { events: 'CREATE', name: '..data_tmp' },
          { events: 'MOVED_FROM', name: '..data_tmp' },
          { events: 'MOVED_TO', name: '..data' },
          { events: 'CREATE', name: 'added' },
          { events: 'DELETE', name: 'gone' },
        ]);
      } finally {
        await watch.stop();
      }
    });

    // [S2] does not hold here: who follows ..data while it is renamed can get ENOENT (docs/transports.md).
    it(`[S1] shows readers one generation, whole (${SWAPS} swaps)`, async () => {
      await daemon.client.writeProjection('torn', generationFiles(NAMES, 0));
      const readers = await Promise.all([Reader.start(pathOf('torn'), NAMES), Reader.start(pathOf('torn'), NAMES)]);
      try {
        for (let generation = 1; generation <= SWAPS; generation += 1) {
          await daemon.client.writeProjection('torn', generationFiles(NAMES, generation));
        }
        for (const report of await Promise.all(readers.map((reader) => reader.stop()))) {
          assert.deepEqual([report.mixed, report.torn], [0, 0]);
          assert.deepEqual(
            report.failures.filter((failure) => !failure.startsWith('Error: ENOENT')),
            [],
          );
          assert.ok(report.generations > 5, `saw ${report.generations} generations in ${report.rounds} rounds`);
        }
      } finally {
        for (const reader of readers) reader.kill();
      }
    });

    it('[S13] leaves an open directory one whole generation, also for files that were never opened', async () => {
      await write('held', { first: 'first 1', second: 'second 1' });
      const script = 'exec 9<"$1/..data" && echo in && read -r go && cd /proc/self/fd/9/ && cat first second && ls';
      const reading = stayInside('sh', ['-c', script, 'sh', pathOf('held')], async () => {
        for (let swap = 2; swap < 6; swap += 1) await write('held', { first: `first ${swap}`, third: 'x' });
        await delay(AFTER_GRACE_MS);
      });
      assert.equal(await reading, 'in\nfirst 1second 1first\nsecond\n');
    });

    it('[S14][S15] gives every new open the new content, and an open file its own', async () => {
      const long = 'a'.repeat(300_000);
      await write('fresh', { key: long });
      const file = await open(pathOf('fresh', 'key'));
      try {
        for (let swap = 0; swap < 20; swap += 1) {
          await write('fresh', { key: `new ${swap}` });
          assert.equal(await readFile(pathOf('fresh', 'key'), 'utf8'), `new ${swap}`);
        }
        await delay(AFTER_GRACE_MS);
        assert.equal(await file.readFile('utf8'), long);
      } finally {
        await file.close();
      }
    });

    it('of a deleted object no name is left, and what is made anew has its own content', async () => {
      await write('deleted', { key: 'the old one' });
      assert.equal(await readFile(pathOf('deleted', 'key'), 'utf8'), 'the old one');
      await daemon.client.deleteProjection('Projection', 'default', 'deleted');
      await assert.rejects(stat(pathOf('deleted')), { code: 'ENOENT' });
      await write('deleted', { key: 'a new one' });
      assert.equal(await readFile(pathOf('deleted', 'key'), 'utf8'), 'a new one');
    });
  });

  it('[S8] outsiders cannot change anything, not even root', async () => {
    await write('guarded', { key: 'x' });
    const script = [
      'for try in "touch new" "mkdir new" "rm key" "mv key other" "ln key other" "ln -s key other" "chmod 600 key"',
      '  "chown 1 key" "truncate -s 0 key" "dd if=/dev/null of=key" "rm ..data" "rmdir ../guarded";',
      'do LC_ALL=C $try 2>&1 >/dev/null | grep -c "Read-only file system"; done',
    ].join(' ');
    const refusals = await run('sh', ['-c', `cd "$1" && ${script}`, 'sh', pathOf('guarded')]);
    assert.equal(refusals, '1\n'.repeat(12));
    assert.equal(await readFile(pathOf('guarded', 'key'), 'utf8'), 'x');
  });

  it('[S22] users that the permission bits keep out are kept out', async () => {
    await daemon.client.writeProjection(
      'private',
      new Map([
        ['mine', { data: Buffer.from('m'), mode: 0o400, uid: 1234, gid: 1234 }],
        ['roots', { data: Buffer.from('r'), mode: 0o600 }],
      ]),
    );
    const asUser = (path: string): Promise<string> =>
      run('setpriv', ['--reuid=1234', '--regid=1234', '--clear-groups', 'cat', pathOf('private', path)]);
    assert.equal(await asUser('mine'), 'm');
    await assert.rejects(asUser('roots'), /Permission denied/);
  });

  it('[S9] df shows the projection its own size', async () => {
    await write('sized', { a: 'x'.repeat(100_000), b: 'y' });
    const { blocks, bsize, files, type } = await statfs(pathOf('sized'));
    assert.ok(blocks * bsize >= 100_001 && blocks * bsize < 200_000, `${blocks} blocks of ${bsize}`);
    assert.ok(files >= 2);
    assert.equal(type, 0x65735546);
  });

  it('inode numbers are steady, and listings show types', async () => {
    await write('numbered', { key: 'x', 'folder/inner': 'y' });
    const before = (await stat(pathOf('numbered', 'key'))).ino;
    await write('numbered', { key: 'z', 'folder/inner': 'y' });
    assert.notEqual((await stat(pathOf('numbered', 'key'))).ino, before);
    const now = (await stat(pathOf('numbered', 'key'))).ino;
    assert.equal((await stat(pathOf('numbered', 'key'))).ino, now);
    const entries = await readdir(pathOf('numbered', '..data', '.'), { withFileTypes: true });
    const types = entries.map((entry) => [entry.name, entry.isDirectory(), entry.isFile()]);
    assert.deepEqual(types.sort(), [
      ['folder', true, false],
      ['key', false, true],
    ]);
  });
});

describe('the life of a daemon over fuse-native', { timeout: 120_000, ...(skip === undefined ? {} : { skip }) }, () => {
  let daemon: DaemonProcess;
  before(async () => {
    daemon = await startDaemon('--transport', 'fuse-native');
    await daemon.client.writeProjection('kept', text({ key: 'durable' }));
  });
  after(() => daemon.stop());
  const key = (): string => join(projectionRoot(daemon, 'kept'), 'key');

  it('nothing can be kept for a next daemon, which is said before anything ends', async () => {
    await assert.rejects(daemon.dunnage('down', '--keep'), (error: { stderr?: string; code?: number }) => {
      assert.match(error.stderr ?? '', /ends with the daemon/);
      assert.equal(error.code, 10);
      return true;
    });
    assert.equal(await readFile(key(), 'utf8'), 'durable');
  });

  it('[S24] a second one is refused', async () => {
    await assert.rejects(daemon.up(), /another daemon/);
    assert.equal(await readFile(key(), 'utf8'), 'durable');
  });

  it('[S19] after kill -9 the mount answers ENOTCONN, the next up clears it away, and content is there', async () => {
    await killDaemon(daemon);
    // The serving process ends when it notices; attributes may be cached, an open never is.
    await until(
      'ENOTCONN',
      () =>
        readFile(key()).then(
          () => false,
          ({ code }) => code === 'ENOTCONN',
        ),
      15,
    );
    await daemon.up();
    assert.equal((await daemon.client.status()).takenOver, false);
    assert.equal(await readFile(key(), 'utf8'), 'durable');
  });

  it('a daemon whose serving process dies ends, and the next up brings the content back', async () => {
    const { pid } = await daemon.client.status();
    const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ');
    const serving = [];
    for (const child of children) {
      if ((await readFile(`/proc/${child}/cmdline`, 'utf8')).includes('fuse-thread')) serving.push(Number(child));
    }
    assert.equal(serving.length, 1);
    process.kill(serving[0] as number, 'SIGKILL');
    await untilEnded(pid);
    await daemon.up();
    assert.equal(await readFile(key(), 'utf8'), 'durable');
  });

  it('SIGTERM unmounts: nobody could take over what it would leave', async () => {
    const { pid } = await daemon.client.status();
    process.kill(pid, 'SIGTERM');
    await untilEnded(pid);
    assert.deepEqual(await mountsBeneath(daemon.folder), []);
    await daemon.up();
    assert.equal(await readFile(key(), 'utf8'), 'durable');
  });

  it('an unmount from outside ends it', async () => {
    const { pid } = await daemon.client.status();
    await run('umount', [join(daemon.mountPoint, 'projections')]);
    await untilEnded(pid);
    await daemon.up();
  });

  it('[S21] down after a crash clears what is left; the next up brings the content back', async () => {
    await killDaemon(daemon);
    assert.match(await daemon.dunnage('down'), /the tree it had left is unmounted/);
    assert.deepEqual(await mountsBeneath(daemon.folder), []);
    await daemon.up();
    const { pid } = await daemon.client.status();
    await daemon.dunnage('down');
    await untilEnded(pid);
    assert.deepEqual(await mountsBeneath(daemon.folder), []);
    await daemon.up();
    assert.equal(await readFile(key(), 'utf8'), 'durable');
  });
});
