/** What the programs print. The programs themselves are run in test/kernel/device-mapper-pool.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDifferences, parseThinRows } from '../../../src/thinpool/device-mapper/thin-tools.ts';

test('devices are read from the columns of thin_ls', () => {
  assert.deepEqual(parseThinRows('         1           64           16\n  16777215 0 0\n'), [
    { id: 1, ownBlocks: 64, sharedBlocks: 16 },
    { id: 16_777_215, ownBlocks: 0, sharedBlocks: 0 },
  ]);
  assert.deepEqual(parseThinRows('\n'), []);
  for (const output of ['1 2', '1 2 x', 'DEV EXCLUSIVE SHARED'])
    assert.throws(() => parseThinRows(output), { code: 'CORRUPT' });
});

test('differences are read from the document of thin_delta, in bytes', () => {
  const document = `<superblock uuid="" time="1" transaction="0" data_block_size="128" nr_data_blocks="0">
  <diff left="1" right="2">
    <same begin="0" length="16"/>
    <different begin="16" length="1"/>
    <left_only begin="128" length="2"/>
    <right_only begin="200" length="3"/>
  </diff>
</superblock>`;
  assert.deepEqual(parseDifferences(document, 65_536), [
    { offsetBytes: 16 * 65_536, lengthBytes: 65_536 },
    { offsetBytes: 128 * 65_536, lengthBytes: 2 * 65_536 },
    { offsetBytes: 200 * 65_536, lengthBytes: 3 * 65_536 },
  ]);
  assert.deepEqual(parseDifferences('', 65_536), []);
});
