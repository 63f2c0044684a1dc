import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isZeroBlock, readHeaderBlock } from '../../src/tar/header-block.ts';
import { headerBlock } from './helpers/header-blocks.ts';

test('a header is read field by field', () => {
  const header = readHeaderBlock(headerBlock({ name: 'a/b', size: '0000144', mode: '0100755', link: 'c' }));
  assert.ok(typeof header !== 'string');
  assert.deepEqual(
    { name: header.name, size: header.sizeBytes, mode: header.mode, link: header.linkName, format: header.format },
    { name: 'a/b', size: 100, mode: 0o755, link: 'c', format: 'ustar' },
  );
});

test('the beginning of a long name is taken where the format has one', () => {
  const name = (magic: string, mark = ''): string => {
    const header = readHeaderBlock(headerBlock({ name: 'end', prefix: 'begin', magic, mark }));
    assert.ok(typeof header !== 'string');
    return header.name;
  };
  assert.equal(name('ustar\x0000'), 'begin/end');
  assert.equal(name('ustar\x0000', 'tar\0'), 'begin/end');
  assert.equal(name('ustar  \0'), 'end');
  assert.equal(name(''), 'end');
});

test('a sum of signed bytes is right too, any other is not', () => {
  const name = 'caf\xe9'.repeat(10);
  assert.ok(typeof readHeaderBlock(headerBlock({ name })) !== 'string');
  assert.ok(typeof readHeaderBlock(headerBlock({ name, sum: 'signed' })) !== 'string');
  const damaged = headerBlock({ name });
  damaged[3] = 0x41;
  assert.equal(readHeaderBlock(damaged), 'its checksum is wrong');
});

test('fields that are no numbers have a reason', () => {
  assert.equal(readHeaderBlock(headerBlock({ size: 'x' })), 'its size is no number');
  assert.equal(readHeaderBlock(headerBlock({ size: '\xff'.repeat(12) })), 'its size is negative');
  const past = readHeaderBlock(headerBlock({ modifyTime: '\xff'.repeat(12) }));
  assert.equal(typeof past === 'string' ? past : past.modifyTime.seconds, -1);
});

test('only zeros are a block of zeros', () => {
  assert.equal(isZeroBlock(Buffer.alloc(512)), true);
  const block = Buffer.alloc(512);
  block[511] = 1;
  assert.equal(isZeroBlock(block), false);
});
