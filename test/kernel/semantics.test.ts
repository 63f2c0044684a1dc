/** The promises of SEMANTICS.md that are a sentence long: each by its id, on a daemon as users start it. */
import assert from 'node:assert/strict';
import { lstat, open, opendir, readdir, readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { DaemonProcess } from '../tools/daemon-process.ts';
import { mountsBeneath } from './helpers/fuse-connections.ts';
import { untilEnded } from './helpers/process-end.ts';
import {
  killDaemon,
  projectionRoot,
  publishedDirectory,
  startDaemon,
  text,
  timestampDirectories,
} from './helpers/projected.ts';
import { run } from './helpers/run.ts';
import { stayInside } from './helpers/stay-inside.ts';

const GONE_MS_MAX = 15_000;

let daemon: DaemonProcess;
before(async () => {
  daemon = await startDaemon();
});
after(() => daemon.stop());

const write = (name: string, files: Readonly<Record<string, string>>): Promise<unknown> =>
  daemon.client.writeProjection(name, text(files));
const pathOf = (...parts: [string, ...string[]]): string => join(projectionRoot(daemon, parts[0]), ...parts.slice(1));

/** Waits until the condition holds; the time it may take is the promise's own. */
async function eventually(condition: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = AbortSignal.timeout(GONE_MS_MAX);
  while (!(await condition())) {
    assert.ok(!deadline.aborted, `${what}: not after ${GONE_MS_MAX} ms`);
    await delay(50);
  }
}

describe('the files of a projection', () => {
  it('[S11] are exactly those that were written: bytes, permission bits, owners', async () => {
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, index) => (index * 31) & 0xff));
    const files = new Map([
      ['plain', { data: Buffer.from('x'), mode: 0o644 }],
      ['deep/er/private', { data: bytes, mode: 0o400, uid: 1234, gid: 4321 }],
      ['all', { data: Buffer.alloc(0), mode: 0o777 }],
    ]);
    await daemon.client.writeProjection('exact', files);
    for (const [path, { data, mode, ...owner }] of files) {
      const stats = await stat(pathOf('exact', path));
      const { uid = 0, gid = 0 } = owner as { uid?: number; gid?: number };
      assert.deepEqual([stats.mode & 0o7777, stats.uid, stats.gid, stats.size], [mode, uid, gid, data.length], path);
      assert.ok((await readFile(pathOf('exact', path))).equals(data), path);
    }
  });

  it('[S12] are laid out as Kubernetes does, with relative links', async () => {
    await write('layout', { plain: 'x', 'folder/inner': 'y', 'folder/other': 'z' });
    const published = await publishedDirectory(pathOf('layout'));
    assert.match(published, /^\.\.\d{4}(?:_\d\d){5}\.\d+$/);
    assert.deepEqual((await readdir(pathOf('layout'))).sort(), [published, '..data', 'folder', 'plain'].sort());
    assert.equal(await readlink(pathOf('layout', 'plain')), '..data/plain');
    assert.equal(await readlink(pathOf('layout', 'folder')), '..data/folder');
    assert.ok((await lstat(pathOf('layout', published, 'folder/inner'))).isFile());
  });

  it('[S22] are protected by the kernel from users that the bits keep out', async () => {
    const files = new Map([
      ['mine', { data: Buffer.from('m'), mode: 0o400, uid: 1234, gid: 1234 }],
      ['roots', { data: Buffer.from('r'), mode: 0o600 }],
    ]);
    await daemon.client.writeProjection('guarded', files);
    const asUser = (path: string): Promise<string> =>
      run('setpriv', ['--reuid=1234', '--regid=1234', '--clear-groups', 'cat', pathOf('guarded', path)]);
    assert.equal(await asUser('mine'), 'm');
    await assert.rejects(asUser('roots'), /Permission denied/);
  });

  it('[S25] lose their names with the object, while an open one can be read', async () => {
    await write('deleted', { key: 'still here' });
    const file = await open(pathOf('deleted', 'key'));
    try {
      await daemon.client.deleteProjection('Projection', 'default', 'deleted');
      await assert.rejects(stat(pathOf('deleted')), { code: 'ENOENT' });
      assert.equal((await file.read(Buffer.alloc(20), 0, 20, 0)).buffer.toString('utf8', 0, 10), 'still here');
    } finally {
      await file.close();
    }
  });
});

describe('after a swap', () => {
  it('[S13] a directory opened before goes on as one whole generation, whatever follows', async () => {
    await write('held', { first: 'first 1', second: 'second 1' });
    // The shell stands in the old generation; nothing of it was read before the swaps.
    const script = 'cd "$1/..data" && echo in && read -r go && cat first && echo && cat second && echo && ls';
    const reading = stayInside('sh', ['-c', script, 'sh', pathOf('held')], async () => {
      for (let swap = 2; swap < 6; swap += 1) await write('held', { first: `first ${swap}`, third: 'x' });
      await delay(2500);
    });
    assert.equal(await reading, 'in\nfirst 1\nsecond 1\nfirst\nsecond\n');
  });

  it('[S14] every new open gives the new content, in another mount namespace too', async () => {
    await write('fresh', { key: 'old' });
    assert.equal(await readFile(pathOf('fresh', 'key'), 'utf8'), 'old');
    for (let swap = 0; swap < 50; swap += 1) {
      await write('fresh', { key: `new ${swap}` });
      assert.equal(await readFile(pathOf('fresh', 'key'), 'utf8'), `new ${swap}`);
    }
    const enter = ['--mount', '--propagation', 'slave', 'cat', pathOf('fresh', 'key')];
    assert.equal(await run('unshare', enter), 'new 49');
  });

  it('[S15] an open file keeps its content', async () => {
    const long = 'a'.repeat(300_000);
    await write('kept', { key: long });
    const file = await open(pathOf('kept', 'key'));
    try {
      await write('kept', { key: 'b' });
      assert.equal(await file.readFile('utf8'), long);
    } finally {
      await file.close();
    }
  });

  it('[S15] a mapping of the old file keeps its content', async () => {
    await write('mapped', { key: 'a'.repeat(50_000) });
    const script = [
      'import mmap, sys',
      'f = open(sys.argv[1], "rb"); m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); f.close()',
      'print("in", flush=True); sys.stdin.readline()',
      'print(len(m), set(m[:]) == {97})',
    ].join('\n');
    const mapped = stayInside('python3', ['-c', script, pathOf('mapped', 'key')], async () => {
      await write('mapped', { key: 'b' });
      await delay(2500);
    });
    assert.equal(await mapped, 'in\n50000 True\n');
  });

  it('[S16] the name of the replaced generation is good for 2 seconds and vanishes then', async () => {
    await write('grace', { key: 'one' });
    const old = await publishedDirectory(pathOf('grace'));
    await write('grace', { key: 'two' });
    assert.equal(await readFile(pathOf('grace', old, 'key'), 'utf8'), 'one');
    const isGone = (): Promise<boolean> =>
      lstat(pathOf('grace', old)).then(
        () => false,
        ({ code }) => code === 'ENOENT',
      );
    await eventually(isGone, 'the old name vanishes');
  });

  it('[S17] a write of the same content makes no new generation', async () => {
    await write('same', { key: 'x', 'a/b': 'y' });
    const before = await publishedDirectory(pathOf('same'));
    await write('same', { 'a//b': 'y', key: 'x' });
    assert.equal(await publishedDirectory(pathOf('same')), before);
    assert.deepEqual(await timestampDirectories(pathOf('same')), [before]);
  });

  it('[S18] the new content is complete when MOVED_TO arrives', async () => {
    await write('told', { key: '0', other: '0' });
    const script = [
      'inotifywait --event moved_to --format %f "$1" 2>&1 | while read -r line; do case $line in',
      '"Watches established.") echo in ;;',
      '..data) cat "$1/key" "$1/other"; echo ;; esac; done',
    ].join('\n');
    const told = stayInside('sh', ['-c', script, 'sh', pathOf('told')], async () => {
      await write('told', { key: '1', other: '1' });
    });
    assert.equal(await told, 'in\n11\n');
  });
});

describe('the life of the daemon', () => {
  it('[S23] its control socket is for its owner only', async () => {
    const { mode } = await stat(join(daemon.runtimeDir, 'dunnage.sock'));
    assert.equal(mode & 0o7777, 0o600);
  });

  it('[S24] a second one is refused with the reason, and disturbs nothing', async () => {
    await write('undisturbed', { key: 'x' });
    await assert.rejects(daemon.up(), (error: { stderr?: string; code?: number }) => {
      assert.match(error.stderr ?? '', /another daemon/);
      assert.equal(error.code, 5);
      return true;
    });
    assert.equal(await readFile(pathOf('undisturbed', 'key'), 'utf8'), 'x');
  });

  it('[S20] inode numbers, open files and directory handles outlive it', async () => {
    await write('outlived', { key: 'before', never: 'read before' });
    const inode = (await stat(pathOf('outlived', 'key'))).ino;
    const file = await open(pathOf('outlived', 'never'));
    const directory = await opendir(pathOf('outlived', '..data'));
    try {
      await killDaemon(daemon);
      await daemon.up();
      assert.equal((await daemon.client.status()).takenOver, true);
      assert.equal((await stat(pathOf('outlived', 'key'))).ino, inode);
      assert.equal(await file.readFile('utf8'), 'read before');
      assert.equal((await directory.read())?.name, 'key');
    } finally {
      await file.close();
      await directory.close();
    }
  });

  it('[S19] what a write returned for is there after daemon and holder were killed and the tree was unmounted', async () => {
    await write('durable', { key: 'flushed', 'a/b': 'too' });
    const { holderPid } = await daemon.client.status();
    assert.ok(holderPid !== undefined);
    process.kill(holderPid, 'SIGKILL');
    await killDaemon(daemon);
    await daemon.up();
    assert.equal((await daemon.client.status()).takenOver, false);
    assert.equal(await readFile(pathOf('durable', 'key'), 'utf8'), 'flushed');
    assert.equal(await readFile(pathOf('durable', 'a/b'), 'utf8'), 'too');
  });

  it('[S21] down unmounts everything and leaves no process; the next up brings the content back', async () => {
    await write('again', { key: 'back' });
    const { pid, holderPid } = await daemon.client.status();
    await daemon.dunnage('down');
    assert.deepEqual(await mountsBeneath(daemon.folder), []);
    for (const ended of [pid, holderPid]) {
      assert.ok(ended !== undefined);
      await untilEnded(ended);
    }
    await daemon.up();
    assert.equal(await readFile(pathOf('again', 'key'), 'utf8'), 'back');
  });
});
