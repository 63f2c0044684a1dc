import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { ImageFolder, imageId } from '../../../src/thinpool/reflink/image-folder.ts';
import { ScratchFileSystem, skipUnlessScratch } from '../../tools/scratch-file-system.ts';

const MEBIBYTE = 1024 * 1024;

it('only files that are named as images are', () => {
  assert.equal(imageId('0.img'), 0);
  assert.equal(imageId('16777215.img'), 16_777_215);
  for (const name of [
    '',
    'img',
    '.img',
    '01.img',
    '1.img (deleted)',
    '-1.img',
    '1.img.new',
    '123456789.img',
    'a1.img',
  ]) {
    assert.equal(imageId(name), undefined, name);
  }
});

describe('images', { skip: skipUnlessScratch('xfs') }, () => {
  let scratch: ScratchFileSystem;
  let images: ImageFolder;
  before(() => {
    scratch = new ScratchFileSystem('xfs');
  });
  after(() => scratch.close());
  beforeEach(async () => {
    images = await ImageFolder.open(join(mkdtempSync(join(scratch.path, 'images-')), 'devices'));
  });
  afterEach(() => images.close());

  it('are listed by id; what else lies there is nobody of theirs', async () => {
    for (const id of [10, 2, 1]) await images.create(id);
    writeFileSync(join(images.path, 'notes.txt'), '');
    mkdirSync(join(images.path, 'lost'));
    assert.deepEqual(await images.ids(), [1, 2, 10]);
  });

  it('a clone that is refused when it is complete leaves nothing', async () => {
    await images.create(1);
    const refuse = (): never => {
      throw new RangeError('too late');
    };
    await assert.rejects(images.clone(2, 1, refuse), /too late/);
    assert.deepEqual(readdirSync(images.path), ['1.img']);
  });

  it('a clone has what the origin had', async () => {
    await images.create(1);
    const content = randomBytes(MEBIBYTE);
    writeFileSync(images.pathOf(1), content);
    await images.clone(2, 1, () => undefined);
    writeFileSync(images.pathOf(1), randomBytes(MEBIBYTE));
    assert.ok(readFileSync(images.pathOf(2)).equals(content));
  });

  it('[S243] one that somebody has cut off is not lengthened, nor copied as if it were whole', async () => {
    await images.create(1);
    const image = await images.openImage(1);
    try {
      assert.equal(await images.fits(1, image, MEBIBYTE), false);
      await images.lengthen(1, image, MEBIBYTE);
      assert.equal(await images.fits(1, image, MEBIBYTE), true);
      assert.equal(await images.fits(1, image, 2 * MEBIBYTE), false);
      await images.empty(image);
      assert.equal(await images.fits(1, image, MEBIBYTE), true);
      await assert.rejects(images.fits(1, image, MEBIBYTE / 2), { code: 'INVALID_ARGUMENT' });
      await image.truncate(MEBIBYTE / 2);
      await assert.rejects(images.fits(1, image, MEBIBYTE), { code: 'CORRUPT', remedy: /copy what is left/ });
    } finally {
      await image.close();
    }
    await images.clone(2, 1, () => undefined);
    const clone = await images.openImage(2);
    try {
      await assert.rejects(images.fits(2, clone, MEBIBYTE), { code: 'CORRUPT' });
    } finally {
      await clone.close();
    }
  });

  it('the blocks of a removed image are free when it is removed', async () => {
    await images.create(1);
    writeFileSync(images.pathOf(1), randomBytes(32 * MEBIBYTE), { flush: true });
    const before = statfsSync(scratch.path).bfree;
    await images.remove(1);
    const { bfree, bsize } = statfsSync(scratch.path);
    assert.ok((bfree - before) * bsize >= 32 * MEBIBYTE, `${(bfree - before) * bsize} bytes are free`);
    await assert.rejects(images.remove(1), { code: 'NOT_FOUND' });
  });
});
