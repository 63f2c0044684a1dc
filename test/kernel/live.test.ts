/** The live view with real mounts: what programs see that open, watch and bind-mount single files. */
import assert from 'node:assert/strict';
import { mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { DaemonProcess } from '../tools/daemon-process.ts';
import { InotifyWatch, type SeenEvent } from './helpers/inotify.ts';
import { killDaemon, startDaemon, TEST_PARENT, text } from './helpers/projected.ts';
import { run } from './helpers/run.ts';
import { stayInside } from './helpers/stay-inside.ts';

const SWAPS = 50;

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
const read = (...parts: string[]): Promise<string> => readFile(live(...parts), 'utf8');

/** In small pieces, so that many swaps happen meanwhile; not `readFile`, which asks fstat how much there is. */
async function readToEnd(path: string): Promise<string> {
  const file = await open(path);
  try {
    const pieces: Buffer[] = [];
    for (;;) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(4096), 0, 4096, null);
      if (bytesRead === 0) return Buffer.concat(pieces).toString();
      pieces.push(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}

async function requests(): Promise<number> {
  const { connections } = await daemon.client.status();
  return connections.find(({ name }) => name === 'root')?.requests ?? Number.NaN;
}

const saw =
  (events: string, name = '') =>
  (event: SeenEvent): boolean =>
    event.events.split(',').includes(events) && event.name === name;

describe('files of the live view', () => {
  it('[S50] are plain files, whose inode stays and whose content is new as soon as the write returns', async () => {
    await write('inode', { a: '0', 'd/b': '0' });
    const { ino, nlink } = await stat(live('inode', 'a'));
    const inner = await stat(live('inode', 'd/b'));
    assert.equal(nlink, 1);
    for (let swap = 1; swap <= SWAPS; swap += 1) {
      const content = 'x'.repeat(swap * 1000);
      await write('inode', { a: content, 'd/b': '0', [`name-${swap}`]: '' });
      assert.equal(await read('inode', 'a'), content);
      assert.deepEqual(await readdir(live('inode')), await readdir(live('inode')));
      assert.deepEqual((await readdir(live('inode'))).sort(), ['a', 'd', `name-${swap}`]);
      const now = await stat(live('inode', 'a'));
      assert.deepEqual([now.ino, now.size, now.isFile()], [ino, swap * 1000, true]);
    }
    await killDaemon(daemon);
    await daemon.up();
    assert.equal((await stat(live('inode', 'a'))).ino, ino);
    await daemon.dunnage('down');
    await daemon.up();
    assert.equal((await stat(live('inode', 'a'))).ino, ino);
    assert.equal((await stat(live('inode', 'd/b'))).ino, inner.ino);
  });

  it('[S51] are read whole by an open descriptor, through swaps, removal and the death of the daemon', async () => {
    const old = 'old\n'.repeat(50_000);
    await write('held', { a: old, b: '1' });
    const file = await open(live('held', 'a'));
    try {
      const piece = Buffer.alloc(4096);
      await file.read(piece, 0, piece.length, 0);
      for (let swap = 0; swap < 15; swap += 1) await write('held', { a: `new ${swap}`, b: '1' });
      await write('held', { b: '1' });
      await assert.rejects(read('held', 'a'), { code: 'ENOENT' });
      await killDaemon(daemon);
      await daemon.up();
      for (let swap = 0; swap < 15; swap += 1) await write('held', { a: `newer ${swap}`, b: '1' });
      const pieces: Buffer[] = [];
      for (let at = 0; ; ) {
        const { bytesRead } = await file.read(piece, 0, piece.length, at);
        if (bytesRead === 0) break;
        pieces.push(Buffer.from(piece.subarray(0, bytesRead)));
        at += bytesRead;
      }
      assert.equal(Buffer.concat(pieces).toString(), old);
      assert.equal(await read('held', 'a'), 'newer 14');
    } finally {
      await file.close();
    }
  });

  it('[S51] are never torn, however fast they are swapped', async () => {
    const content = (swap: number): string => `${swap}\n`.repeat(20_000);
    await write('torn', { large: content(0), small: content(0).slice(0, 100) });
    let isOver = false;
    const seen = new Set<string>();
    const reader = async (name: string): Promise<number> => {
      let rounds = 0;
      for (; !isOver; rounds += 1) {
        const lines = new Set((await readToEnd(live('torn', name))).split('\n').slice(0, -1));
        assert.equal(lines.size, 1, `${name} is of ${[...lines].join(', ')}`);
        for (const line of lines) seen.add(line);
      }
      return rounds;
    };
    const readers = Promise.all(['large', 'small', 'large'].map(reader));
    for (let swap = 1; swap <= 100; swap += 1) {
      await write('torn', { large: content(swap), small: content(swap).slice(0, 100) });
    }
    isOver = true;
    assert.ok((await readers).every((rounds) => rounds > 0));
    assert.ok(seen.size > 5, `only ${[...seen].join(', ')} were seen`);
  });

  it('become directories, and files again', async () => {
    await write('kinds', { x: 'file' });
    assert.equal(await read('kinds', 'x'), 'file');
    await write('kinds', { 'x/y': 'inside' });
    assert.equal(await read('kinds', 'x/y'), 'inside');
    await write('kinds', { x: 'file again' });
    assert.equal(await read('kinds', 'x'), 'file again');
    await daemon.client.deleteProjection('Projection', 'default', 'kinds');
    await assert.rejects(stat(live('kinds')), { code: 'ENOENT' });
    await write('kinds', { x: 'another' });
    assert.equal(await read('kinds', 'x'), 'another');
  });

  it('[S54] cannot be changed by anybody, also where the mount was made writable', async () => {
    await write('closed', { a: 'one' });
    await write('closed', { a: 'two' });
    const attempts = [
      'echo x > a',
      'echo x >> a',
      'rm -f a',
      'mv a b',
      'ln a b',
      'ln -s a b',
      'mkdir d',
      'touch b',
      'mknod p p',
      'chmod 600 a',
      'chown 1 a',
      'truncate -s 0 a',
      'rmdir ../closed',
      'mkdir ../other',
    ];
    const script = attempts.map(
      (command) => `(${command}) 2>&1 | grep -q 'Read-only file system' || echo '${command}'`,
    );
    const inside = `mount --bind "$0" "$1" && mount -o remount,bind,rw "$1" && cd "$1/closed" && ${script.join('; ')}`;
    assert.equal(await run('unshare', ['--mount', 'sh', '-c', inside, live(), target]), '');
    assert.equal(await read('closed', 'a'), 'two');
  });

  it('[S53] cost a swap nothing if nobody looked at them', async () => {
    const daemonOfItsOwn = await startDaemon();
    try {
      const counted = async (): Promise<number> =>
        (await daemonOfItsOwn.client.status()).connections.find(({ name }) => name === 'root')?.requests ?? Number.NaN;
      const swap = (files: Readonly<Record<string, string>>): Promise<unknown> =>
        daemonOfItsOwn.client.writeProjection('unseen', text(files));
      await swap({ a: '0' });
      const before = await counted();
      for (let round = 1; round <= 10; round += 1) await swap({ a: String(round), [`name-${round}`]: '' });
      await daemonOfItsOwn.client.deleteProjection('Projection', 'default', 'unseen');
      assert.equal((await counted()) - before, 0);
    } finally {
      await daemonOfItsOwn.stop();
    }
  });

  it('are forgotten by a kernel that can, when nobody uses them any more', async (t) => {
    const { connections } = await daemon.client.status();
    if (connections.some(({ protocol }) => Number(protocol.split('.')[1]) < 45)) {
      t.skip('NOTIFY_PRUNE came with FUSE 7.45 (Linux 6.18)');
      return;
    }
    await write('looked', { a: '0' });
    assert.equal(await read('looked', 'a'), '0');
    let cost = Number.NaN;
    // The swap after the look is announced; then the kernel is asked to forget, which it does when it comes to it.
    for (let swap = 1; swap <= 50 && cost !== 0; swap += 1) {
      const counted = await requests();
      await write('looked', { a: String(swap) });
      cost = (await requests()) - counted;
    }
    assert.equal(cost, 0);
  });
});

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

  it('[S55] go on after a kill of the daemon, which fails no reader', async () => {
    await write('killed', { a: '0' });
    const watch = await InotifyWatch.start(live('killed', 'a'));
    try {
      for (let kill = 1; kill <= 5; kill += 1) {
        const writing = write('killed', { a: `cut off ${kill}` }).catch(() => undefined);
        await killDaemon(daemon);
        await writing;
        await daemon.up();
        const before = watch.seen.length;
        await write('killed', { a: `after ${kill}` });
        assert.equal(await read('killed', 'a'), `after ${kill}`);
        await watch.until((event) => watch.seen.indexOf(event) >= before && saw('CLOSE_WRITE')(event));
      }
    } finally {
      await watch.stop();
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
