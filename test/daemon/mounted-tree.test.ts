/** What is mounted where, seen in the kernel's own table. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { clearDeadMounts, isMounted, mountsBeneath } from '../../src/daemon/mounted-tree.ts';
import { unmount } from '../../src/mounts/fuse-mount.ts';
import { readMountTable } from '../../src/mounts/mount-table.ts';
import type { NativeBinding } from '../../src/native/binding.ts';
import { loadNative } from '../../src/native/load.ts';
import { skipUnlessFuse } from '../native/helpers/fuse-available.ts';

const skip = skipUnlessFuse();
const native = skip === false ? loadNative() : undefined;

/** A directory of its own, unmounted and removed when the test ends, however it ends. */
function makeFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'dunnage-mounted-tree-'));
  t.after(async () => {
    for (const { mountPoint } of (await readMountTable())
      .filter((row) => row.mountPoint.startsWith(folder))
      .reverse()) {
      await unmount(mountPoint, { detach: true });
    }
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** Mounts a connection that nobody answers, without looking at what is there; it is dead once its device is closed. */
function mountWaiting(target: string, subtype = 'dunnage'): number {
  const device = (native as NativeBinding).openFuseDevice();
  const owner = { userId: 0, groupId: 0, allowOther: false, readOnly: false, extraOptions: '' };
  native?.mountFuse({ device, target, source: 'test', subtype, rootMode: 0o040755, ...owner });
  return device;
}

function mountDead(target: string, subtype?: string): void {
  mkdirSync(target, { recursive: true });
  native?.closeDescriptor(mountWaiting(target, subtype));
}

test('mountsBeneath finds nothing where nothing of ours is mounted', async (t) => {
  const folder = makeFolder(t);
  assert.deepEqual(await mountsBeneath(folder), []);
  assert.equal(await isMounted(folder), false);
  assert.deepEqual(await mountsBeneath('/proc'), [], 'of another type');
});

test('mountsBeneath knows ours at and below the path, parents first, and no neighbours', { skip }, async (t) => {
  const folder = makeFolder(t);
  const [tree, neighbour, foreign] = ['tree', 'tree-2', 'tree/sub/foreign'].map((name) => join(folder, name));
  mountDead(join(tree as string, 'sub/projections'));
  mountDead(neighbour as string);
  mountDead(foreign as string, 'other');
  assert.deepEqual(await mountsBeneath(tree as string), [join(tree as string, 'sub/projections')]);
  assert.deepEqual(await mountsBeneath(neighbour as string), [neighbour]);
  assert.equal(await isMounted(foreign as string), false);
});

test('clearDeadMounts takes away what nobody serves, several on one another included', { skip }, async (t) => {
  const folder = makeFolder(t);
  // Both are mounted before either is dead: nothing can be mounted on what is dead.
  const devices = [mountWaiting(folder), mountWaiting(folder)];
  for (const device of devices) native?.closeDescriptor(device);
  assert.deepEqual(await mountsBeneath(folder), [folder, folder]);
  const warned: unknown[] = [];
  const log = { ...silentLog, warn: (fields: unknown) => void warned.push(fields) };
  await clearDeadMounts(folder, log);
  assert.deepEqual(await mountsBeneath(folder), []);
  assert.equal(warned.length, 2, 'each is told');
  await clearDeadMounts(folder, log);
});

test('clearDeadMounts leaves a tree alone that somebody may still serve', { skip }, async (t) => {
  const folder = makeFolder(t);
  const device = mountWaiting(folder);
  try {
    const refused = { code: 'ALREADY_RUNNING', message: new RegExp(folder) };
    await assert.rejects(clearDeadMounts(folder, silentLog), refused);
    assert.equal(await isMounted(folder), true);
  } finally {
    // Ends the call that waited for an answer.
    native?.closeDescriptor(device);
  }
});
