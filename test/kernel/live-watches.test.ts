/** Watches on live files, and bind mounts of them: on the host and in other mount namespaces. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import chokidar from 'chokidar';
import type { DaemonProcess } from '../tools/daemon-process.ts';
import { InotifyWatch, type SeenEvent } from './helpers/inotify.ts';
import { startDaemon, TEST_PARENT, text } from './helpers/projected.ts';
import { stayInside } from './helpers/stay-inside.ts';

const SWAPS = 50;
const SEEN_MS_MAX = 20_000;

let daemon: DaemonProcess;
let target: string;
before(async () => {
  daemon = await startDaemon();
  target = await mkdtemp(join(TEST_PARENT, 'live-'));
});
after(async () => {
  await daemon.stop();
  await rm(target, { recursive: true, force: true });
});

const live = (...parts: string[]): string => join(daemon.mountPoint, 'live', ...parts);
const write = (name: string, files: Readonly<Record<string, string>>, mode?: number): Promise<unknown> =>
  daemon.client.writeProjection(name, text(files, mode));

const saw =
  (events: string, name = '') =>
  (event: SeenEvent): boolean =>
    event.events.split(',').includes(events) && event.name === name;

interface Place {
  readonly name: string;
  watch(source: string): Promise<InotifyWatch>;
}

const places: readonly Place[] = [
  { name: 'on the host', watch: (source) => InotifyWatch.start(source) },
  {
    name: 'through a read-only bind mount of the one file in another mount namespace',
    async watch(source) {
      const point = join(target, 'one-file');
      await writeFile(point, '');
      return await InotifyWatch.startInNamespace(source, point);
    },
  },
];

describe('watches on live files', () => {
  for (const [position, place] of places.entries()) {
    it(`[S52] [S56] tell of every change of a file ${place.name}`, async () => {
      const name = `watched-${position}`;
      await write(name, { a: '0', other: '0' });
      const watch = await place.watch(live(name, 'a'));
      try {
        for (let swap = 1; swap <= SWAPS; swap += 1) await write(name, { a: String(swap), other: 'x' });
        await write(name, { a: String(SWAPS), other: 'y' });
        await write(name, { a: String(SWAPS), other: 'y' }, 0o600);
        await watch.until(saw('ATTRIB'));
        assert.equal(watch.seen.filter(saw('MODIFY')).length, SWAPS);
        assert.equal(watch.seen.filter(saw('CLOSE_WRITE')).length, SWAPS);
        assert.equal(watch.seen.filter(saw('ATTRIB')).length, 1);
      } finally {
        await watch.stop();
      }
    });
  }

  it('[S52] tell of names in the order of the swaps, before the write returns', async () => {
    await write('names', { a: '1', 'd/x': '1', gone: '1' });
    const watch = await InotifyWatch.start(live('names'));
    try {
      await write('names', { a: '2', 'd/x': '1', new: '2', 'e/y': '2' });
      await write('names', { a: '2', gone: 'again' });
      const last = (event: SeenEvent): boolean => saw('CLOSE_WRITE', 'gone')(event);
      await watch.until(last);
      const told = watch.seen.map(({ events, name }) => `${events} ${name}`);
      for (const [event, times] of Object.entries({
        'DELETE gone': 1,
        'CREATE new': 1,
        'CREATE,ISDIR e': 1,
        'MODIFY a': 1,
        'DELETE new': 1,
        'DELETE,ISDIR e': 1,
        'DELETE,ISDIR d': 1,
        'CREATE gone': 1,
      })) {
        assert.equal(told.filter((line) => line === event).length, times, `${event} in ${told.join('; ')}`);
      }
      assert.ok(told.indexOf('CREATE new') < told.indexOf('DELETE new'));
      assert.ok(told.indexOf('DELETE gone') < told.indexOf('CREATE gone'));
      assert.ok(told.indexOf('CREATE gone') < told.indexOf('MODIFY gone'));
    } finally {
      await watch.stop();
    }
  });

  it('[S52] tell of projections that come and go in live/', async () => {
    const watch = await InotifyWatch.start(live());
    try {
      await write('guest', { a: '1' });
      await daemon.client.deleteProjection('Projection', 'default', 'guest');
      await watch.until(saw('DELETE', 'guest'));
      assert.ok(watch.seen.some(saw('CREATE', 'guest')));
    } finally {
      await watch.stop();
    }
  });

  it('[S52] are seen by chokidar, for a directory and for the file itself', async () => {
    await write('chokidar', { a: '1', gone: '1', 'd/inner': '1' });
    const seen = { directory: new Set<string>(), file: new Set<string>() };
    const watchers = (['directory', 'file'] as const).map((what) => {
      const root = what === 'file' ? live('chokidar', 'a') : live('chokidar');
      const watcher = chokidar.watch(root, { ignoreInitial: true });
      watcher.on('all', (event, path) => seen[what].add(`${event} ${path.slice(live('chokidar').length + 1)}`));
      return watcher;
    });
    try {
      await Promise.all(watchers.map((watcher) => once(watcher, 'ready')));
      await write('chokidar', { a: '2', new: '2', 'd/inner': '2' });
      const expected = ['change a', 'add new', 'unlink gone', 'change d/inner'];
      const deadline = AbortSignal.timeout(SEEN_MS_MAX);
      while (!expected.every((event) => seen.directory.has(event)) || !seen.file.has('change a')) {
        assert.ok(!deadline.aborted, `saw ${[...seen.directory].join(', ')}; ${[...seen.file].join(', ')}`);
        await Promise.race(
          watchers.map((watcher) => once(watcher, 'all', { signal: deadline }).catch(() => undefined)),
        );
      }
    } finally {
      await Promise.all(watchers.map((watcher) => watcher.close()));
    }
  });
});

describe('bind mounts of live files', () => {
  it('[S56] follow the swaps in another mount namespace: one file, and a directory', async () => {
    await write('bound', { a: 'one', 'd/b': 'one', big: 'x'.repeat(100_000) });
    const [file, directory] = [join(target, 'file'), join(target, 'directory')];
    await writeFile(file, '');
    await rm(directory, { recursive: true, force: true });
    const script = `mkdir "$3"; mount --bind "$0/a" "$2" && mount -o remount,bind,ro "$2" && mount --bind "$0" "$3" || exit 1
      first=$(df --output=size,itotal "$2" | tail -1; cat "$2" "$3/d/b"); echo in; echo "$first"; read -r next; cat "$2" "$3/d/b" "$3/new"`;
    const told = await stayInside(
      'unshare',
      ['--mount', 'sh', '-c', script, live('bound'), 'sh', file, directory],
      async () => {
        await write('bound', { a: 'two', 'd/b': 'second', new: '!', big: 'x' });
      },
    );
    assert.match(told, /^in\n *100 +3\noneone\ntwosecond!$/);
  });
});
