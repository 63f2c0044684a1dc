/** The live view with real mounts: what programs see that open, watch and bind-mount single files. */
import assert from 'node:assert/strict';
import { mkdtemp, open, opendir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { DaemonProcess } from '../tools/daemon-process.ts';
import { InotifyWatch, type SeenEvent } from './helpers/inotify.ts';
import { killDaemon, startDaemon, TEST_PARENT, text } from './helpers/projected.ts';
import { run } from './helpers/run.ts';

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

const isClosed = ({ events }: SeenEvent): boolean => events.includes('CLOSE_WRITE');

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

  it('come back under a name that somebody still holds: a directory as another one, a file as the same', async () => {
    await write('again', { 'd/a': '1', f: '1' });
    const inodes = [(await stat(live('again', 'd'))).ino, (await stat(live('again', 'f'))).ino];
    const [directory, file] = [await opendir(live('again', 'd')), await open(live('again', 'f'))];
    try {
      await write('again', { other: '2' });
      await assert.rejects(stat(live('again', 'd')), { code: 'ENOENT' });
      await write('again', { 'd/a': '3', 'd/b': '3', f: '3' });
      assert.deepEqual((await readdir(live('again', 'd'))).sort(), ['a', 'b']);
      assert.equal(await read('again', 'd/a'), '3');
      assert.equal(await read('again', 'f'), '3');
      assert.equal((await file.read(Buffer.alloc(9), 0, 9, 0)).buffer.toString('utf8', 0, 1), '1');
      assert.notEqual((await stat(live('again', 'd'))).ino, inodes[0]);
      assert.equal((await stat(live('again', 'f'))).ino, inodes[1]);
      assert.equal((await file.stat()).nlink, 1);
    } finally {
      await directory.close();
      await file.close();
    }
  });

  it('can be run and mapped', async () => {
    await write('programs', { script: '#!/bin/sh\necho one', data: 'one' }, 0o755);
    assert.equal(await run(live('programs', 'script'), []), 'one\n');
    const map = `import mmap,sys
f=open(sys.argv[1],'rb'); print(mmap.mmap(f.fileno(),0,prot=mmap.PROT_READ,flags=mmap.MAP_PRIVATE)[:].decode())
try: mmap.mmap(f.fileno(),0,prot=mmap.PROT_READ)
except OSError as e: print(e.errno)`;
    assert.equal(await run('python3', ['-c', map, live('programs', 'data')]), `one\n${constants.errno.ENODEV}\n`);
    await write('programs', { script: '#!/bin/sh\necho two', data: 'second' }, 0o755);
    assert.equal(await run(live('programs', 'script'), []), 'two\n');
    assert.equal(await run('python3', ['-c', map, live('programs', 'data')]), `second\n${constants.errno.ENODEV}\n`);
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

  it('[S55] go on telling watchers after the daemon was killed, in whichever moment', async () => {
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
        await watch.until((event) => watch.seen.indexOf(event) >= before && isClosed(event));
      }
    } finally {
      await watch.stop();
    }
  });
});
