import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toPoolDocument } from '../../../src/daemon/pools/pool-document.ts';
import { isPoolDocument, readPool, refuseRepeatedPools } from '../../../src/daemon/pools/pool-manifest.ts';
import { readYamlDocuments } from '../../../src/projection/manifests/yaml-documents.ts';

const read = (yaml: string) => readYamlDocuments(yaml).filter(isPoolDocument).map(readPool);
const pool = (spec: string, name = 'p'): string =>
  `apiVersion: dunnage/v1\nkind: Pool\nmetadata: {name: ${name}}\nspec: ${spec}\n`;
const GIBIBYTE = 1024 ** 3;
const EXT4 = { type: 'ext4', options: 'nodiscard,lazy_itable_init=0,lazy_journal_init=0' };
const PLAIN = {
  ...{ deviceSizeBytes: 10 * GIBIBYTE, trimIntervalMs: 86_400_000, discardBlocks: false, asyncRemove: false },
  fileSystem: EXT4,
};

test('a pool that says only where it lies gets the defaults', () => {
  assert.deepEqual(read(pool('{directory: /mnt/xfs/}')), [
    { spec: { name: 'p', place: { kind: 'directory', path: '/mnt/xfs' }, ...PLAIN }, document: 1 },
  ]);
  const [file] = read(pool('{file: {size: 20g}}'));
  assert.deepEqual(file?.spec.place, { kind: 'file', sizeBytes: 20 * GIBIBYTE });
  const [device] = read(pool('{device: /dev/sdb1, format: true, driver: reflink}'));
  assert.deepEqual(device?.spec.place, { kind: 'device', path: '/dev/sdb1', format: true });
});

test('a pool of the device-mapper lies on two devices, or in two files of which the second may be left out', () => {
  const [first] = read(
    pool('{dataDevice: /dev/vg/d, metadataDevice: /dev/vg/m, blockSize: 128KiB, lowWaterMark: 1GiB, whenFull: error}'),
  );
  assert.deepEqual(first?.spec.place, {
    kind: 'device-mapper',
    data: { kind: 'device', path: '/dev/vg/d' },
    metadata: { kind: 'device', path: '/dev/vg/m' },
    format: false,
    parameters: { blockBytes: 131_072, lowWaterBlocks: 8192, errorIfNoSpace: true, discardPassdown: true },
  });
  const [second] = read(pool('{driver: devicemapper, dataFile: {size: 1GiB}, metadataFile: {}}'));
  const place = second?.spec.place;
  assert.ok(place?.kind === 'device-mapper' && place.metadata.kind === 'file');
  assert.equal(place.metadata.sizeBytes, 2 * 1024 * 1024);
});

test('overcommit, trim and the rest are read', () => {
  const [given] = read(
    pool(`{directory: /d, deviceSize: 1GiB, overcommit: {allowed: true, highWaterMark: 80%}, trim: {interval: off},
  discardBlocks: true, asyncRemove: true, fileSystem: {type: xfs}}`),
  );
  assert.deepEqual(given?.spec, {
    ...{ name: 'p', place: { kind: 'directory', path: '/d' }, deviceSizeBytes: GIBIBYTE },
    ...{ overcommit: { highWaterPercent: 80 }, discardBlocks: true, asyncRemove: true },
    fileSystem: { type: 'xfs', options: '' },
  });
  assert.equal(read(pool('{directory: /d, overcommit: {highWaterMark: 80%}}'))[0]?.spec.overcommit, undefined);
});

test("the reference's TOML says what it says there; fields of the manifest go before it", () => {
  const toml = String.raw`root_path = \"/srv/pool\"\npool_name = \"p\"\nbase_image_size = \"128Mb\"\ndiscard_blocks = true\nfs_type = \"xfs\"`;
  const [given] = read(pool(`{config: "${toml}"}`));
  assert.deepEqual(given?.spec.place, { kind: 'directory', path: '/srv/pool' });
  assert.deepEqual(
    [given?.spec.deviceSizeBytes, given?.spec.discardBlocks, given?.spec.fileSystem.type],
    [134_217_728, true, 'xfs'],
  );
  assert.equal(read(pool(`{config: "${toml}", deviceSize: 1GiB}`))[0]?.spec.deviceSizeBytes, GIBIBYTE);
  assert.throws(() => read(pool(`{config: "${toml}"}`, 'q')), { message: /config: names the pool "p"/ });
  assert.throws(() => read(pool('{config: ""}')), {
    message: /pool_name is required; root_path is required; base_image_size is required; filesystem type cannot/,
  });
});

test('what a pool is shown as can be applied again, and is the same', () => {
  for (const spec of [
    '{directory: /d, trim: {interval: 90m}}',
    '{file: {size: 20GiB, path: /x.img}, overcommit: {allowed: true}}',
    '{file: {size: 20GiB}, trim: {interval: off}, deviceSize: 12345856}',
    '{device: /dev/sdb1, format: true}',
    '{dataDevice: /d, metadataFile: {size: 4MiB}, lowWaterMark: 1}',
    '{dataFile: {size: 1GiB}, blockSize: 192KiB, lowWaterMark: 1GiB, whenFull: error, discardPassdown: false}',
  ]) {
    const [first] = read(pool(spec));
    assert.ok(first !== undefined);
    const [again] = read(JSON.stringify(toPoolDocument(first.spec)));
    assert.deepEqual(again, first, spec);
  }
});

/** What is wrong, and what the complaint says of it. */
const WRONG: readonly (readonly [spec: string, message: RegExp])[] = [
  ['{}', /spec: does not say what the pool lies on/],
  ['{directory: pool}', /directory: must be an absolute path/],
  ['{directory: /d, device: /e}', /device: cannot be together with directory/],
  ['{directory: /d, format: true}', /format: is for block devices only/],
  ['{directory: /d, dataDevice: /e, driver: reflink}', /dataDevice: is nothing for the driver reflink/],
  ['{directory: /d, driver: devicemapper}', /directory: is nothing for the driver devicemapper/],
  ['{directory: /d, whenFull: error}', /whenFull: is nothing for the driver reflink/],
  ['{directory: /d, driver: zfs}', /driver: must be one of reflink, devicemapper/],
  ['{file: {path: /x}}', /file\.size: is missing/],
  ['{file: {size: y}}', /file\.size: must be a size/],
  ['{file: {size: -1}}', /file\.size: must be a size/],
  ['{dataDevice: /d}', /does not say where the metadata of the pool go/],
  ['{dataDevice: /d, metadataDevice: /d}', /data and metadata of the pool in one place/],
  ['{dataDevice: /d, metadataDevice: /m, blockSize: 1KiB}', /blockSize: blocks of 1024 bytes/],
  ['{directory: /d, deviceSize: 1000}', /deviceSize: .*cannot have 1000 bytes/],
  ['{directory: /d, overcommit: {allowed: true, highWaterMark: 100%}}', /highWaterMark: must be a percentage/],
  ['{directory: /d, trim: {interval: 1s}}', /interval: must be a time of at least 1m/],
  ['{directory: /d, fileSystem: {type: ntfs}}', /type: must be one of ext4, xfs, ext2/],
  ['{directory: /d, colour: red}', /colour: is not a known field/],
];

for (const [spec, message] of WRONG) {
  test(`[S237] refused with its place: spec: ${spec}`, () => {
    assert.throws(
      () => read(pool(spec)),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'INVALID_MANIFEST');
        assert.match(error.message, message);
        assert.match(error.message, /^document 1 \(Pool "p"\), line \d+: /);
        return true;
      },
    );
  });
}

test('names of pools are checked, and one pool in two documents is refused', () => {
  for (const name of ['A', '../x', '"a b"', '7']) {
    assert.throws(() => read(pool('{directory: /d}', name)), { code: 'INVALID_MANIFEST' }, name);
  }
  assert.throws(() => read('apiVersion: dunnage/v1\nkind: Pool\nmetadata: {name: p}\n'), {
    message: /spec: is missing/,
  });
  const twice = read(`${pool('{directory: /d}')}---\n${pool('{directory: /e}')}`);
  assert.throws(() => refuseRepeatedPools(twice), { message: 'documents 1 and 2 are both Pool "p"' });
  refuseRepeatedPools(twice.slice(1));
});
