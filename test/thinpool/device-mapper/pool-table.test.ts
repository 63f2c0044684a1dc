import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  assertParameters,
  DEFAULT_PARAMETERS,
  isSamePool,
  type PoolParameters,
  parsePoolStatus,
  poolTarget,
  thinIdOf,
  thinTarget,
  usableMetadataBytes,
  usesSameDevices,
} from '../../../src/thinpool/device-mapper/pool-table.ts';

const METADATA = { major: 7, minor: 1 };
const DATA = { major: 7, minor: 0 };
const table = (parameters: Partial<PoolParameters> = {}, dataBytes = 16 * 1024 * 1024) =>
  poolTarget(dataBytes, METADATA, DATA, { ...DEFAULT_PARAMETERS, ...parameters });

describe('the table of a pool', () => {
  it('is that of the reference', () => {
    const { startSectors, lengthSectors, type, parameters } = table();
    assert.equal(
      `${startSectors} ${lengthSectors} ${type} ${parameters}`,
      '0 32768 thin-pool 7:1 7:0 128 32768 1 skip_block_zeroing',
    );
  });

  it('has the features that are asked for, and whole blocks only', () => {
    const all = { zeroBlocks: true, discardPassdown: false, errorIfNoSpace: true, lowWaterBlocks: 5 };
    assert.equal(table(all).parameters, '7:1 7:0 128 5 2 no_discard_passdown error_if_no_space');
    assert.equal(table({ zeroBlocks: true }).parameters, '7:1 7:0 128 32768 0');
    assert.equal(table({}, 16 * 1024 * 1024 + 65_535).lengthSectors, 32_768);
  });

  it('is compared with the words of the kernel, whose features have another order', () => {
    const one = table({ discardPassdown: false, errorIfNoSpace: true });
    const kernels = {
      ...one,
      parameters: '7:1 7:0 128 32768 3 error_if_no_space skip_block_zeroing no_discard_passdown',
    };
    assert.equal(isSamePool(one, kernels), true);
    for (const other of [table(), table({ lowWaterBlocks: 1 }), { ...one, lengthSectors: 1 }]) {
      assert.equal(isSamePool(one, other), false);
    }
    assert.equal(usesSameDevices(one, table()), true);
    assert.equal(usesSameDevices(one, table({ blockBytes: 131_072 })), false);
    assert.equal(usesSameDevices(one, poolTarget(1, DATA, METADATA, DEFAULT_PARAMETERS)), false);
  });

  it('is not made of what cannot be', () => {
    assertParameters(DEFAULT_PARAMETERS);
    for (const blockBytes of [0, 4096, 65_537, 2 ** 31]) {
      assert.throws(() => assertParameters({ ...DEFAULT_PARAMETERS, blockBytes }), { code: 'INVALID_ARGUMENT' });
    }
    for (const lowWaterBlocks of [-1, 0.5]) {
      assert.throws(() => assertParameters({ ...DEFAULT_PARAMETERS, lowWaterBlocks }), { code: 'INVALID_ARGUMENT' });
    }
  });
});

describe('the table of a thin device', () => {
  it('names pool and id, and is told from others', () => {
    const target = thinTarget(1024, { major: 254, minor: 3 }, 77);
    assert.deepEqual(target, { startSectors: 0, lengthSectors: 2, type: 'thin', parameters: '254:3 77' });
    assert.equal(thinIdOf([target], { major: 254, minor: 3 }), 77);
    assert.equal(thinIdOf([target], { major: 254, minor: 4 }), undefined);
    assert.equal(thinIdOf([{ ...target, type: 'linear' }], { major: 254, minor: 3 }), undefined);
    assert.equal(thinIdOf([], { major: 254, minor: 3 }), undefined);
  });
});

describe('the metadata of a pool', () => {
  it('bound what may be promised: each block of each device must be described', () => {
    const MIB = 1024 * 1024;
    const line = (blocks: number): string => `7 20/${blocks} 16/1000000 - rw discard_passdown queue_if_no_space - 1024`;
    // A quarter is kept free, the rest has 48 bytes for each block.
    assert.equal(parsePoolStatus(line(512), 65_536).promisableBytes, ((1.5 * MIB) / 48) * 65_536);
    assert.equal(parsePoolStatus(line(262_144), 65_536).promisableBytes, 990_000 * 65_536);
  });

  it('are used in blocks of 4 KiB, up to just under 16 GiB', () => {
    assert.equal(usableMetadataBytes(4 * 4096 + 4095), 4 * 4096);
    assert.equal(usableMetadataBytes(17 * 1024 ** 3), 255 * 16_320 * 4096);
  });
});

describe('the status of a pool', () => {
  it('is read in bytes', () => {
    const line = '7 20/1024 16/256 - rw discard_passdown queue_if_no_space - 1024 ';
    assert.deepEqual(parsePoolStatus(line, 65_536), {
      dataUsedBytes: 16 * 65_536,
      dataTotalBytes: 256 * 65_536,
      metadataUsedBytes: 20 * 4096,
      metadataTotalBytes: 1024 * 4096,
      promisableBytes: 248 * 65_536,
      isReadOnly: false,
      needsCheck: false,
      areWritersStopped: false,
      transaction: 7,
      hasMetadataSnapshot: false,
    });
  });

  it('shows what is wrong', () => {
    const full = parsePoolStatus('1 1/2 3/3 - out_of_data_space discard_passdown error_if_no_space - 10', 65_536);
    assert.deepEqual([full.isReadOnly, full.needsCheck], [false, false]);
    assert.equal(full.areWritersStopped, false);
    const waiting = parsePoolStatus('1 1/2 3/3 - out_of_data_space discard_passdown queue_if_no_space - 10', 65_536);
    assert.equal(waiting.areWritersStopped, true);
    const broken = parsePoolStatus('1 2/2 1/3 5 ro discard_passdown queue_if_no_space needs_check 10', 65_536);
    assert.deepEqual([broken.isReadOnly, broken.needsCheck, broken.hasMetadataSnapshot], [true, true, true]);
    for (const line of ['Fail', 'Error', '', '1 x 3/3']) {
      assert.throws(() => parsePoolStatus(line, 65_536), { code: 'CORRUPT' }, line);
    }
  });
});
