/** What a user sees of a mounted projection besides its files. */
import assert from 'node:assert/strict';
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { DaemonProcess } from '../tools/daemon-process.ts';
import { projectionRoot, startDaemon, TEST_PARENT, text } from './helpers/projected.ts';
import { run } from './helpers/run.ts';

let daemon: DaemonProcess;
before(async () => {
  daemon = await startDaemon();
  // Other users must get through to the mount.
  await chmod(daemon.folder, 0o755);
});
after(() => daemon.stop());

async function projectionRequests(): Promise<number> {
  const { connections } = await daemon.client.status();
  return connections.find(({ name }) => name === 'projections')?.requests ?? Number.NaN;
}

describe('a mounted projection', () => {
  it('is listed by findmnt as fuse.dunnage, shared, and read-only for others', async () => {
    const listed = JSON.parse(
      await run('findmnt', [
        '-J',
        '-o',
        'TARGET,SOURCE,FSTYPE,OPTIONS,PROPAGATION',
        join(daemon.mountPoint, 'projections'),
      ]),
    );
    const [mount] = listed.filesystems;
    assert.equal(mount.fstype, 'fuse.dunnage');
    assert.equal(mount.source, 'dunnage');
    assert.equal(mount.propagation, 'shared');
    assert.match(mount.options, /^ro,/);
  });

  it('[S9] shows its own size in df, also on a bind mount of it', async () => {
    await daemon.client.writeProjection('sized', text({ a: 'x'.repeat(40_000), b: 'y' }));
    await daemon.client.writeProjection('small', text({ a: 'x' }));
    const target = await mkdtemp(join(TEST_PARENT, 'bind-'));
    await run('mount', ['--bind', projectionRoot(daemon, 'sized'), target]);
    try {
      const blocks = async (path: string): Promise<number> =>
        Number((await run('df', ['-B', '4096', '--output=size', path])).trim().split('\n').at(-1));
      assert.equal(await blocks(target), 10);
      assert.equal(await blocks(projectionRoot(daemon, 'small')), 1);
    } finally {
      await run('umount', [target]);
      await rm(target, { recursive: true });
    }
  });

  it('[S8] refuses every write by outsiders, also through a bind mount, and keeps its content', async () => {
    await daemon.client.writeProjection('guarded', text({ key: 'content' }));
    const root = projectionRoot(daemon, 'guarded');
    const readOnly = { code: 'EROFS' };
    await assert.rejects(writeFile(join(root, 'key'), 'changed'), readOnly);
    await assert.rejects(writeFile(join(root, 'new'), 'x'), readOnly);
    await assert.rejects(open(join(root, 'key'), 'r+'), readOnly);
    await assert.rejects(mkdir(join(root, 'directory')), readOnly);
    await assert.rejects(symlink('x', join(root, 'link')), readOnly);
    await assert.rejects(unlink(join(root, 'key')), readOnly);
    await assert.rejects(rm(join(root, '..data')), readOnly);
    await assert.rejects(mkdir(join(daemon.mountPoint, 'other')), readOnly);
    assert.equal(await readFile(join(root, 'key'), 'utf8'), 'content');
  });

  it('[S8] refuses writes by root on a superblock that somebody made writable again', async () => {
    await daemon.client.writeProjection('remounted', text({ key: 'content' }));
    const target = await mkdtemp(join(TEST_PARENT, 'bind-'));
    await run('mount', ['--bind', projectionRoot(daemon, 'remounted'), target]);
    try {
      await run('mount', ['-o', 'remount,bind,rw', target]);
      await assert.rejects(writeFile(join(target, 'key'), 'changed'), { code: 'EROFS' });
      await assert.rejects(writeFile(join(target, 'key'), 'more', { flag: 'a' }), { code: 'EROFS' });
      await assert.rejects(mkdir(join(target, 'directory')), { code: 'EROFS' });
      await assert.rejects(unlink(join(target, 'key')), { code: 'EROFS' });
    } finally {
      await run('umount', [target]);
      await rm(target, { recursive: true });
    }
    assert.equal(await readFile(join(projectionRoot(daemon, 'remounted'), 'key'), 'utf8'), 'content');
  });

  it('[S7] asks the daemon nothing for a hot open, read, close, stat, readlink or listing', async () => {
    await daemon.client.writeProjection('hot', text({ key: 'content', 'directory/other': 'more' }));
    const root = projectionRoot(daemon, 'hot');
    const look = async (): Promise<void> => {
      assert.equal(await readFile(join(root, 'key'), 'utf8'), 'content');
      assert.equal((await stat(join(root, 'key'))).size, 7);
      assert.ok((await lstat(join(root, 'key'))).isSymbolicLink());
      assert.equal((await readdir(root)).length, 4);
      assert.deepEqual(await readdir(join(root, 'directory')), ['other']);
      await assert.rejects(stat(join(root, 'missing')), { code: 'ENOENT' });
    };
    for (let round = 0; round < 3; round += 1) await look();
    const before = await projectionRequests();
    for (let round = 0; round < 200; round += 1) await look();
    assert.equal((await projectionRequests()) - before, 0);
  });

  it('gives modes and owners as they were asked for, and the kernel enforces them', async () => {
    const data = Buffer.from('secret');
    await daemon.client.writeProjection('owned', new Map([['key', { data, mode: 0o400, uid: 1234, gid: 5678 }]]));
    const key = join(projectionRoot(daemon, 'owned'), 'key');
    const { uid, gid, mode } = await stat(key);
    assert.deepEqual([uid, gid, mode & 0o7777], [1234, 5678, 0o400]);
    await assert.rejects(
      run('setpriv', ['--reuid=4321', '--regid=4321', '--clear-groups', 'cat', key]),
      /Permission denied/,
    );
    assert.equal(await run('setpriv', ['--reuid=1234', '--regid=1234', '--clear-groups', 'cat', key]), 'secret');
  });

  it('reads large files whole and from any place', async () => {
    const words = new Uint32Array(3_000_000).map((_, index) => index);
    const data = Buffer.from(words.buffer);
    await daemon.client.writeProjection('large', new Map([['big', { data, mode: 0o644 }]]));
    const path = join(projectionRoot(daemon, 'large'), 'big');
    assert.ok((await readFile(path)).equals(data));
    const file = await open(path);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(16), 0, 16, data.length - 8);
    await file.close();
    assert.equal(bytesRead, 8);
    assert.ok(buffer.subarray(0, 8).equals(data.subarray(-8)));
  });

  it('can be mapped, sent and executed', async () => {
    const script = Buffer.from('#!/bin/sh\necho ran\n');
    await daemon.client.writeProjection('program', new Map([['run', { data: script, mode: 0o755 }]]));
    const path = join(projectionRoot(daemon, 'program'), 'run');
    assert.equal(await run(path, []), 'ran\n');
    assert.equal(
      await run('python3', [
        '-c',
        `import mmap;f=open("${path}","rb");print(mmap.mmap(f.fileno(),0,prot=mmap.PROT_READ)[:9].decode())`,
      ]),
      '#!/bin/sh\n',
    );
  });
});

describe('a tree mounted beneath a shared mount', () => {
  it('[S8] is read-only in mount namespaces that get a copy of it at that moment', async () => {
    const folder = await mkdtemp(join(TEST_PARENT, 'shared-'));
    const main = join(import.meta.dirname, '../../src/cli/main.js');
    // The namespace exists before the tree is mounted, and receives what is mounted below the folder.
    const script = `
      mount --bind "$0" "$0" && mount --make-shared "$0"
      unshare --mount --propagation unchanged sh -c 'echo ready; read go; grep " $0/run/mnt" /proc/self/mountinfo' "$0" <"$0/go" &
      exec 3>"$0/go"
      ${process.execPath} ${main} up --detach --state-dir "$0/state" --runtime-dir "$0/run" >/dev/null
      echo >&3; exec 3>&-; wait
      ${process.execPath} ${main} down --runtime-dir "$0/run" >/dev/null
      umount "$0"`;
    try {
      await run('mkfifo', [join(folder, 'go')]);
      const [ready, ...rows] = (await run('sh', ['-ec', script, folder])).trim().split('\n');
      assert.equal(ready, 'ready');
      assert.equal(rows.length, 4);
      // Only what containers write to is not.
      for (const row of rows) assert.match(row.split(' ')[5] ?? '', / \S+\/allocs /.test(row) ? /^rw,/ : /^ro,/);
    } finally {
      // Left only if the script failed half-way.
      await run('umount', ['-l', folder]).catch(() => undefined);
      await rm(folder, { recursive: true, force: true });
    }
  });
});
