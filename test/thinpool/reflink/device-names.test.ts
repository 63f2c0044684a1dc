import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { DeviceNames } from '../../../src/thinpool/reflink/device-names.ts';

let folder: string;
let names: DeviceNames;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dunnage-names-'));
  names = new DeviceNames(join(folder, 'dev'), join(folder, 'records'));
  await names.open();
});
afterEach(() => rmSync(folder, { recursive: true }));

test('a name that is recorded and published leads to the loop device, hidden to nothing', async () => {
  await names.record('a', 7);
  assert.equal(existsSync(names.path('a')), false);
  await names.publish('a', 7);
  await names.publish('a', 7);
  assert.equal(readlinkSync(names.path('a')), '/dev/loop7');
  assert.deepEqual(await names.all(), [{ name: 'a', number: 7 }]);
  await names.hide('a');
  assert.equal(await names.isPublic('a'), false);
  assert.equal(await names.numberOf('a'), 7);
  await names.remove('a');
  await names.remove('a');
  assert.deepEqual(await names.all(), []);
});

test('a name that somebody else has is neither taken nor removed', async () => {
  symlinkSync('/dev/loop9', names.path('a'));
  await names.record('a', 7);
  await assert.rejects(names.publish('a', 7), { code: 'BUSY' });
  await assert.rejects(names.record('a', 8), { code: 'BUSY' });
  await names.remove('a');
  assert.equal(readlinkSync(names.path('a')), '/dev/loop9');
});

test('what cannot be a file name, or would be hidden, is refused', () => {
  for (const name of ['', '.', '..', '.a', 'a/b', '/a', 'a\0b', 'ä'.repeat(128)]) {
    assert.throws(() => names.path(name), { code: 'INVALID_ARGUMENT' }, name);
  }
  assert.equal(names.path('pool-snap-12'), join(folder, 'dev/pool-snap-12'));
});
