import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { constants as systemConstants } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { loadNative } from '../../../src/native/load.ts';
import { ScratchFileSystem, type ScratchType, skipUnlessScratch } from '../../tools/scratch-file-system.ts';

const MEBIBYTE = 1024 * 1024;
const native = loadNative();

function suite(type: ScratchType): void {
  describe(`files that share blocks on ${type}`, { skip: skipUnlessScratch(type) }, () => {
    let scratch: ScratchFileSystem;
    let directory: number;
    before(() => {
      scratch = new ScratchFileSystem(type);
      directory = openSync(scratch.path, constants.O_RDONLY | constants.O_DIRECTORY);
    });
    after(() => {
      closeSync(directory);
      scratch.close();
    });

    it('a file has no name until it is given one, and takes none that is taken', async () => {
      const file = await native.createUnnamedFile(directory);
      assert.equal(fstatSync(file).mode & 0o777, 0o600);
      assert.deepEqual(
        readdirSync(scratch.path).filter((name) => name !== 'lost+found'),
        [],
      );
      assert.deepEqual(await native.nameFiles([file], directory, ['named']), [0]);
      assert.equal(statSync(join(scratch.path, 'named')).ino, fstatSync(file).ino);
      const more = [await native.createUnnamedFile(directory), await native.createUnnamedFile(directory)];
      assert.deepEqual(await native.nameFiles(more, directory, ['named', 'also']), [systemConstants.errno.EEXIST, 0]);
      assert.equal(statSync(join(scratch.path, 'also')).ino, fstatSync(more[1] ?? -1).ino);
      assert.throws(() => native.nameFiles(more, directory, ['too-few']), TypeError);
      for (const open of [file, ...more]) closeSync(open);
    });

    it('a clone has the content, shares the blocks, and keeps them when the source changes', async () => {
      const content = randomBytes(4 * MEBIBYTE);
      const path = join(scratch.path, 'source');
      writeFileSync(path, content);
      const source = openSync(path, 'r+');
      fsyncSync(source);
      assert.deepEqual(
        { ...(await native.fileExtents(source)), extents: 0 },
        { ownBytes: content.length, sharedBytes: 0, extents: 0 },
      );
      const clone = await native.cloneToUnnamedFile(directory, source);
      assert.deepEqual(await native.nameFiles([clone], directory, ['clone']), [0]);
      assert.equal((await native.fileExtents(source)).sharedBytes, content.length);
      writeSync(source, randomBytes(MEBIBYTE), 0, MEBIBYTE, 0);
      fsyncSync(source);
      const { ownBytes, sharedBytes } = await native.fileExtents(source);
      assert.deepEqual({ ownBytes, sharedBytes }, { ownBytes: MEBIBYTE, sharedBytes: 3 * MEBIBYTE });
      assert.ok(readFileSync(join(scratch.path, 'clone')).equals(content));
      for (const open of [source, clone]) closeSync(open);
    });

    it('extents are counted to the last, however many there are', async () => {
      const path = join(scratch.path, 'pieces');
      const file = openSync(path, 'w+');
      const block = Buffer.alloc(4096, 1);
      const pieces = 2500;
      // A file that grows by writes gets blocks ahead of them.
      ftruncateSync(file, pieces * 2 * block.length);
      for (let piece = 0; piece < pieces; piece += 1) writeSync(file, block, 0, block.length, piece * 2 * block.length);
      assert.deepEqual(await native.fileExtents(file), { ownBytes: pieces * 4096, sharedBytes: 0, extents: pieces });
      closeSync(file);
      const empty = openSync(join(scratch.path, 'empty'), 'w+');
      assert.deepEqual(await native.fileExtents(empty), { ownBytes: 0, sharedBytes: 0, extents: 0 });
      closeSync(empty);
    });

    it('allocated space belongs to the file, and what is not there is refused', async () => {
      const file = openSync(join(scratch.path, 'allocated'), 'w+');
      await native.allocateSpace(file, 8 * MEBIBYTE);
      assert.equal((await native.fileExtents(file)).ownBytes, 8 * MEBIBYTE);
      await assert.rejects(native.allocateSpace(file, 1024 * MEBIBYTE), { code: 'ENOSPC', syscall: 'fallocate' });
      closeSync(file);
    });

    it('a frozen file system is thawed, once', async () => {
      assert.equal(await native.thawFileSystem(directory), false);
      execFileSync('fsfreeze', ['--freeze', scratch.path]);
      assert.equal(await native.thawFileSystem(directory), true);
      assert.equal(await native.thawFileSystem(directory), false);
      writeFileSync(join(scratch.path, 'after'), 'writable again');
    });

    it('everything is flushed at once', async () => {
      writeFileSync(join(scratch.path, 'dirty'), randomBytes(MEBIBYTE));
      await native.flushFileSystem(directory);
      const file = openSync(join(scratch.path, 'dirty'), 'r');
      assert.equal((await native.fileExtents(file)).ownBytes, MEBIBYTE);
      closeSync(file);
    });
  });
}

suite('xfs');
suite('btrfs');

describe('files that cannot share blocks', { skip: skipUnlessScratch('ext4') }, () => {
  it('a clone is refused', async () => {
    const scratch = new ScratchFileSystem('ext4', 16);
    const directory = openSync(scratch.path, constants.O_RDONLY | constants.O_DIRECTORY);
    const source = openSync(join(scratch.path, 'source'), 'w+');
    await assert.rejects(native.cloneToUnnamedFile(directory, source), { code: 'EOPNOTSUPP', syscall: 'ioctl' });
    for (const open of [directory, source]) closeSync(open);
    scratch.close();
  });
});
