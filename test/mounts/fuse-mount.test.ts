/** Mounting itself: what is refused and how it is told. That a mount works is in test/kernel. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type FuseMountOptions, mountFuse, unmount } from '../../src/mounts/fuse-mount.ts';
import { findMount } from '../../src/mounts/mount-table.ts';
import { loadNative } from '../../src/native/load.ts';
import { skipUnlessFuse } from '../native/helpers/fuse-available.ts';

const folder = mkdtempSync(join(tmpdir(), 'dunnage-fuse-mount-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const wanted = (target: string): FuseMountOptions => ({
  target,
  source: 'dunnage',
  subtype: 'dunnage',
  rootMode: 0o755,
  allowOther: false,
});
const skip = skipUnlessFuse();

test('mountFuse refuses what is no directory before it asks the kernel', async () => {
  writeFileSync(join(folder, 'file'), '');
  await assert.rejects(mountFuse(wanted(join(folder, 'file'))), { code: 'NOT_A_DIRECTORY' });
  await assert.rejects(mountFuse(wanted(join(folder, 'missing'))), { code: 'NOT_FOUND' });
});

test('the mount is as asked for, and unmount takes it away', { skip }, async () => {
  const target = mkdtempSync(join(folder, 'm '));
  const { device, privileged } = await mountFuse({ ...wanted(target), allowOther: true });
  try {
    assert.equal(privileged, true);
    const row = await findMount(target);
    assert.deepEqual([row?.type, row?.source], ['fuse.dunnage', 'dunnage']);
    assert.ok(row?.options.includes('nosuid') && row.options.includes('nodev'));
    assert.ok(row?.superOptions.includes('default_permissions') && row.superOptions.includes('allow_other'));
  } finally {
    // Closed first: nobody answers INIT here, and a connection without an owner asks nothing.
    loadNative().closeDescriptor(device);
    await unmount(target, { detach: false });
  }
  assert.equal(await findMount(target), undefined);
});

test('a mount whose process died is named as that', { skip }, async () => {
  const target = mkdtempSync(join(folder, 'dead-'));
  loadNative().closeDescriptor((await mountFuse(wanted(target))).device);
  try {
    await assert.rejects(mountFuse(wanted(target)), { code: 'UNREACHABLE', remedy: `unmount it: umount -l ${target}` });
  } finally {
    await unmount(target, { detach: true });
  }
});

test('an option the kernel does not know is refused, and the device does not leak', { skip }, async () => {
  const target = mkdtempSync(join(folder, 'option-'));
  const probe = loadNative().openFuseDevice();
  loadNative().closeDescriptor(probe);
  await assert.rejects(mountFuse({ ...wanted(target), extraOptions: 'no_such_option=1' }), {
    code: 'INVALID_ARGUMENT',
  });
  const again = loadNative().openFuseDevice();
  assert.equal(again, probe);
  loadNative().closeDescriptor(again);
});

test('unmount says when nothing is mounted', { skip }, async () => {
  await assert.rejects(unmount(folder, { detach: false }), { code: 'INVALID_ARGUMENT' });
});
