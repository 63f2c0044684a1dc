import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { DataRegion } from '../../src/tar/entry.ts';
import { MapReader, mapFault, readCommaMap, readOldSparseBlock, writeMap } from '../../src/tar/sparse-map.ts';
import { headerBlock, octal } from './helpers/header-blocks.ts';

const pieces = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 1e12 }), fc.integer({ min: 1, max: 1e9 })), { maxLength: 100 })
  .map((gaps) => {
    let end = 0;
    return gaps.map(([gap, sizeBytes]): DataRegion => {
      const offset = end + gap;
      end = offset + sizeBytes;
      return { offset, sizeBytes };
    });
  });

function readMap(map: Buffer): DataRegion[] | string | undefined {
  const reader = new MapReader();
  for (let at = 0; at < map.length; at += 512) {
    const regions = reader.add(map.subarray(at, at + 512));
    if (regions !== undefined) {
      assert.equal(at + 512, map.length, 'nothing is left over');
      return regions;
    }
  }
  return undefined;
}

test('maps survive being written, in whole blocks', () => {
  fc.assert(
    fc.property(pieces, fc.nat(1000), (regions, hole) => {
      const last = regions.at(-1);
      const sizeBytes = (last === undefined ? 0 : last.offset + last.sizeBytes) + hole;
      const map = writeMap(regions, sizeBytes);
      assert.equal(map.length % 512, 0);
      assert.deepEqual(readMap(map), hole === 0 ? regions : [...regions, { offset: sizeBytes, sizeBytes: 0 }]);
      const stored = regions.reduce((sum, region) => sum + region.sizeBytes, 0);
      assert.equal(mapFault(regions, sizeBytes, stored), undefined);
    }),
  );
});

test('a map in lines that is damaged has a reason, and never wants more than there can be', () => {
  const block = (text: string): Buffer => Buffer.concat([Buffer.from(text), Buffer.alloc(512 - text.length)]);
  for (const text of ['x\n', '-1\n', '\n', '1\n2\nx\n', '99999999\n', '1\n22222222222222222222\n1\n', ''])
    assert.equal(typeof new MapReader().add(block(text)), 'string', JSON.stringify(text));
  assert.deepEqual(new MapReader().add(block('0\n')), []);
  assert.ok(Array.isArray(new MapReader().add(Buffer.from('1\n2\n'.padEnd(512, '1\n')))));
});

test('a map with commas is a list of pairs', () => {
  assert.deepEqual(readCommaMap('0,5,10,2'), [
    { offset: 0, sizeBytes: 5 },
    { offset: 10, sizeBytes: 2 },
  ]);
  assert.deepEqual(readCommaMap(''), []);
  for (const text of ['1', '1,', '1,x', '1,2,3', '-1,2', '1,2,'])
    assert.equal(typeof readCommaMap(text), 'string', text);
});

test('maps that contradict themselves, the length or what is stored are found', () => {
  const at = (offset: number, sizeBytes: number): DataRegion => ({ offset, sizeBytes });
  assert.match(mapFault([at(0, 5), at(4, 1)], 100, 6) ?? '', /overlap/);
  assert.match(mapFault([at(10, 1), at(0, 1)], 100, 2) ?? '', /overlap/);
  assert.match(mapFault([at(99, 2)], 100, 2) ?? '', /behind its end/);
  assert.match(mapFault([at(0, 5)], 100, 6) ?? '', /not as long/);
  assert.equal(mapFault([at(0, 5), at(5, 0), at(100, 0)], 100, 5), undefined);
});

test('old maps are in the header and go on behind it', () => {
  const sparse = `${octal(512)}\0${octal(1024)}\0`;
  assert.deepEqual(readOldSparseBlock(headerBlock({ sparse }), true), {
    regions: [{ offset: 512, sizeBytes: 1024 }],
    hasMore: false,
  });
  const next = Buffer.alloc(512);
  next.write(sparse.repeat(21), 'latin1');
  next[504] = 1;
  const more = readOldSparseBlock(next, false);
  assert.ok(typeof more !== 'string');
  assert.equal(more.regions.length, 21);
  assert.equal(more.hasMore, true);
  assert.equal(typeof readOldSparseBlock(headerBlock({ sparse: 'xyz' }), true), 'string');
});
