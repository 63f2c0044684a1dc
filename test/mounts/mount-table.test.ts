import assert from 'node:assert/strict';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { findMount, parseMountTable, readMountsBeneath, readMountTable } from '../../src/mounts/mount-table.ts';

test('parseMountTable reads every field, with any number of optional ones', () => {
  const text = [
    '36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue',
    '42 27 0:39 / /run/dunnage/mnt rw,nosuid shared:7 master:2 unbindable - fuse.dunnage dunnage rw,user_id=0',
    '43 42 0:40 / /run/dunnage/mnt/projections ro - fuse.dunnage dunnage rw',
    '',
  ].join('\n');
  const rows = parseMountTable(text);
  assert.deepEqual(rows[0], {
    mountId: 36,
    parentId: 35,
    deviceId: '98:0',
    root: '/mnt1',
    mountPoint: '/mnt2',
    options: ['rw', 'noatime'],
    sharedGroup: undefined,
    masterGroup: 1,
    unbindable: false,
    type: 'ext3',
    source: '/dev/root',
    superOptions: ['rw', 'errors=continue'],
  });
  assert.deepEqual([rows[1]?.sharedGroup, rows[1]?.masterGroup, rows[1]?.unbindable], [7, 2, true]);
  assert.deepEqual([rows[2]?.options, rows[2]?.superOptions], [['ro'], ['rw']]);
  assert.equal(rows.length, 3);
});

test('parseMountTable undoes the octal escapes, wherever they stand', () => {
  const [row] = parseMountTable('1 2 0:1 /a\\040b /x\\011y\\134z\\012\\043 rw - fuse a\\040source rw,x=\\134\n');
  assert.equal(row?.root, '/a b');
  assert.equal(row?.mountPoint, '/x\ty\\z\n#');
  assert.equal(row?.source, 'a source');
  assert.deepEqual(row?.superOptions, ['rw', 'x=\\']);
});

test('parseMountTable refuses what is no mountinfo', () => {
  assert.throws(() => parseMountTable('hello world'), TypeError);
});

test('readMountTable and findMount read the table of this process', async () => {
  const proc = await findMount('/proc');
  assert.equal(proc?.type, 'proc');
  assert.ok((await readMountTable()).some((row) => row.mountPoint === '/'));
  assert.equal(await findMount('/proc/self'), undefined);
});

test('of two mounts on one mount point the later one is found', async () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'dunnage-table-')));
  const path = join(folder, 'mountinfo');
  writeFileSync(path, '1 0 0:1 / /m rw - tmpfs lower rw\n2 1 0:2 / /m rw - tmpfs upper rw\n');
  assert.deepEqual(
    (await readMountTable(path)).map((row) => row.source),
    ['lower', 'upper'],
  );
  assert.equal((await readMountTable(path)).findLast((row) => row.mountPoint === '/m')?.source, 'upper');
  rmSync(folder, { recursive: true });
  await assert.rejects(readMountTable(path), { code: 'NOT_FOUND' });
});

test('readMountsBeneath gives what readMountTable has at and beneath a path', async () => {
  const all = await readMountTable();
  assert.deepEqual(await readMountsBeneath('/'), all);
  for (const { mountPoint } of all) {
    const expected = all.filter((row) => row.mountPoint === mountPoint || row.mountPoint.startsWith(`${mountPoint}/`));
    if (mountPoint !== '/') assert.deepEqual(await readMountsBeneath(mountPoint), expected, mountPoint);
  }
  assert.deepEqual(await readMountsBeneath('/pro'), []);
});
