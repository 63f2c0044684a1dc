import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, linkSync, mkdirSync, openSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { describe, it } from 'node:test';
import { snapshotAlloc } from '../../../src/alloc/snapshot/snapshot-alloc.ts';
import { SnapshotErrorFilename } from '../../../src/alloc/snapshot/snapshot-names.ts';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import { nodeIdentity } from '../../../src/native/node-status.ts';
import { isRoot, names, native, parseArchive } from '../../tar/helpers/archives.ts';
import { allocScene, collector, fillAlloc, ID, snapshotOf } from './helpers/alloc-scene.ts';

describe('the snapshot of an alloc', () => {
  it('[S190] has the data and local directories only: two files and two links', async (t) => {
    const scene = allocScene(t);
    fillAlloc(scene);
    const { archive, report } = await snapshotOf(scene);
    const parsed = parseArchive(archive);
    assert.deepEqual(names(parsed), [
      'alloc/data',
      'alloc/data/file',
      'alloc/data/link',
      'db/local',
      'web/local',
      'web/local/file',
      'web/local/link',
    ]);
    assert.equal(parsed.filter(({ entry }) => entry.type === 'file').length, 2);
    assert.equal(parsed.filter(({ entry }) => entry.type === 'symlink').length, 2);
    assert.equal(report.entries, 7);
    assert.equal(report.archiveBytes, archive.length);
  });

  it('is the same for the same files', async (t) => {
    const scene = allocScene(t);
    fillAlloc(scene);
    const { archive } = await snapshotOf(scene);
    assert.ok(archive.equals((await snapshotOf(scene)).archive));
  });

  it('leaves sockets and devices out, and says how many', async (t) => {
    const scene = allocScene(t);
    const server = createServer().listen(join(scene.path, 'alloc/data/socket'));
    t.after(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    if (isRoot) execFileSync('mknod', [join(scene.path, 'alloc/data/null'), 'c', '1', '3']);
    const { archive, report } = await snapshotOf(scene);
    assert.ok(!names(parseArchive(archive)).some((name) => /socket|null/.test(name)));
    assert.equal(report.skipped.sockets, 1);
    assert.equal(report.skipped.devices, isRoot ? 1 : 0);
  });

  it('[S190] has no file of secrets on the disk, whatever other name it was given', async (t) => {
    const scene = allocScene(t);
    mkdirSync(join(scene.path, 'web/secrets/deep'));
    writeFileSync(join(scene.path, 'web/secrets/deep/token'), 'SECRET-TOKEN');
    linkSync(join(scene.path, 'web/secrets/deep/token'), join(scene.path, 'alloc/data/innocent'));
    symlinkSync('../../web/secrets', join(scene.path, 'alloc/data/secrets'));
    const { archive, report } = await snapshotOf(scene);
    assert.equal(archive.includes('SECRET-TOKEN'), false);
    assert.equal(report.skipped.secret, 1);
    assert.ok(
      names(parseArchive(archive)).some((name) => name === 'alloc/data/secrets'),
      'the link itself is no secret',
    );
  });

  it('[S190] is refused if secrets on the disk lie too deep to be looked through', async (t) => {
    const scene = allocScene(t);
    const deep = (levels: number): string => join(scene.path, 'web/secrets', ...Array<string>(levels).fill('d'));
    mkdirSync(deep(63), { recursive: true });
    writeFileSync(join(deep(63), 'token'), 'SECRET-TOKEN');
    linkSync(join(deep(63), 'token'), join(scene.path, 'alloc/data/innocent'));
    const { report } = await snapshotOf(scene);
    assert.equal(report.skipped.secret, 1);
    mkdirSync(deep(200), { recursive: true });
    writeFileSync(join(deep(64), 'token'), 'SECRET-TOKEN');
    linkSync(join(deep(64), 'token'), join(scene.path, 'alloc/data/hidden'));
    const { output, archive } = collector();
    await assert.rejects(snapshotAlloc(scene, output), (error) => {
      assert.ok(error instanceof DunnageError);
      assert.equal(error.code, 'NOT_SUPPORTED');
      assert.match(error.message, /: directories in web\/secrets lie more than 64 levels deep$/);
      return true;
    });
    assert.equal((await archive).includes('SECRET-TOKEN'), false);
  });

  it('leaves out what is excluded by identity', async (t) => {
    const scene = allocScene(t);
    const sealed = join(scene.path, 'web/local/db');
    mkdirSync(sealed);
    writeFileSync(join(sealed, 'x'), 'x');
    const directory = openSync(sealed, 'r');
    t.after(() => closeSync(directory));
    const { archive } = await snapshotOf(scene, [nodeIdentity(native.statNode(directory, ''))]);
    assert.deepEqual(names(parseArchive(archive)), ['alloc/data', 'db/local', 'web/local']);
  });

  it('has nothing of what is mounted there', { skip: isRoot ? false : 'needs root: mounts' }, async (t) => {
    const scene = allocScene(t);
    const target = join(scene.path, 'web/local/projected');
    mkdirSync(target);
    const file = join(scene.path, 'web/local/one-file');
    writeFileSync(file, '');
    writeFileSync(join(scene.folder, 'source'), 'PROJECTED');
    execFileSync('mount', ['-t', 'tmpfs', 'none', target]);
    writeFileSync(join(target, 'secret'), 'PROJECTED');
    execFileSync('mount', ['--bind', join(scene.folder, 'source'), file]);
    // Before the folder is removed.
    const { archive, report } = await snapshotOf(scene).finally(() => execFileSync('umount', [target, file]));
    assert.equal(archive.includes('PROJECTED'), false);
    assert.equal(report.skipped.mountPoints, 2);
  });

  it('takes a directory that a task has moved away, or made a link of, for missing', async (t) => {
    const scene = allocScene(t);
    rmSync(join(scene.path, 'web/local'), { recursive: true });
    symlinkSync('/etc', join(scene.path, 'web/local'));
    rmSync(join(scene.path, 'db/local'), { recursive: true });
    const { archive } = await snapshotOf(scene);
    assert.deepEqual(names(parseArchive(archive)), ['alloc/data']);
  });

  it('[S192] that fails part-way ends with the reason, in the archive and as an error', async (t) => {
    const scene = allocScene(t);
    writeFileSync(join(scene.path, 'alloc/data/a-first'), 'whole');
    const large = join(scene.path, 'alloc/data/b-large');
    writeFileSync(large, Buffer.alloc(40_000_000, 1));
    writeFileSync(join(scene.path, 'alloc/data/c-last'), 'never');
    const output = new PassThrough();
    const pieces: Buffer[] = [];
    // The thread waits for us: the file becomes shorter while it is being read.
    output.once('data', () => truncateSync(large, 1_000_000));
    output.on('data', (piece: Buffer) => void pieces.push(piece));
    await assert.rejects(
      snapshotAlloc(scene, output),
      (error) =>
        error instanceof DunnageError && /^failed to snapshot alloc\/data\/b-large: .*shorter/.test(error.message),
    );
    const parsed = parseArchive(Buffer.concat(pieces));
    assert.deepEqual(names(parsed).slice(1), ['alloc/data/a-first', 'alloc/data/b-large', SnapshotErrorFilename(ID)]);
    const last = parsed.at(-1);
    assert.match(last?.content.toString() ?? '', /^Error snapshotting: failed to snapshot alloc\/data\/b-large: /);
    assert.equal(last?.entry.mode, 0o666);
    for (const time of [last?.entry.modifyTime, last?.entry.accessTime, last?.entry.changeTime])
      assert.deepEqual(time, { seconds: Date.UTC(1999, 10, 30) / 1000, nanoseconds: 0 });
  });

  it('stops when it is aborted, and when nobody reads any more', async (t) => {
    const scene = allocScene(t);
    writeFileSync(join(scene.path, 'alloc/data/large'), Buffer.alloc(30_000_000));
    const stop = new AbortController();
    const slow = new Writable({
      write(_piece, _encoding, done) {
        stop.abort();
        setImmediate(done);
      },
    });
    await assert.rejects(snapshotAlloc(scene, slow, stop.signal), { code: 'INTERRUPTED' });
    const gone = new Writable({ write: (_piece, _encoding, done) => done(new Error('hung up')) });
    await assert.rejects(snapshotAlloc(scene, gone), /hung up/);
    const closed = new PassThrough();
    closed.destroy();
    await assert.rejects(snapshotAlloc(scene, closed), /hung up/);
    await assert.rejects(snapshotAlloc(scene, collector().output, AbortSignal.abort()), { code: 'INTERRUPTED' });
  });

  it('of an alloc that does not exist is an error', async (t) => {
    const scene = allocScene(t);
    await assert.rejects(snapshotAlloc({ ...scene, id: 'other' }, collector().output), { code: 'NOT_FOUND' });
    await assert.rejects(snapshotAlloc({ ...scene, id: '../x' }, collector().output), { code: 'INVALID_ARGUMENT' });
  });
});
