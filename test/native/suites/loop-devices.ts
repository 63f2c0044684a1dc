import assert from 'node:assert/strict';
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import type { AttachedLoop } from '../../../src/native/binding.ts';
import { loadNative } from '../../../src/native/load.ts';
import { skipUnlessLoops } from '../../tools/scratch-file-system.ts';

const MEBIBYTE = 1024 * 1024;
const native = loadNative();
let folder: string;
const attached: AttachedLoop[] = [];
before(() => {
  // Below the tests' own folder on a disk: a tmpfs has no direct I/O.
  folder = mkdtempSync(join(tmpdir(), 'dunnage-loops-'));
});
afterEach(async () => {
  for (const { descriptor } of attached.splice(0)) {
    await native.detachLoop(descriptor, true);
    closeSync(descriptor);
  }
});
after(() => rmSync(folder, { recursive: true, force: true }));

interface Scene extends AttachedLoop {
  readonly path: string;
  readonly device: string;
}

async function attach(name: string, autoClear = false): Promise<Scene> {
  const path = join(folder, name);
  const file = openSync(path, 'w+');
  ftruncateSync(file, MEBIBYTE);
  const loop = await native.attachLoop(file, 0, autoClear);
  closeSync(file);
  attached.push(loop);
  return { ...loop, path, device: `/dev/loop${loop.number}` };
}

function sizeOf(device: string): number {
  const buffer = Buffer.alloc(512);
  const file = openSync(device, 'r');
  let size = 0;
  while (readSync(file, buffer, 0, 512, size) > 0) size += 512;
  closeSync(file);
  return size;
}

describe('loop devices', { skip: skipUnlessLoops() }, () => {
  it('a file becomes a block device with direct I/O, which tells the file it belongs to', async () => {
    const scene = await attach('plain');
    assert.equal(scene.directIo, true);
    const status = await native.loopStatus(scene.descriptor);
    const file = statSync(scene.path, { bigint: true });
    assert.deepEqual(status, {
      number: scene.number,
      backingDevice: Number(file.dev),
      backingInode: file.ino,
      offsetBytes: 0,
      directIo: true,
      autoClear: false,
      readOnly: false,
    });
    assert.equal(fstatSync(scene.descriptor).isBlockDevice(), true);
    const rows = await native.listLoops();
    assert.deepEqual(
      rows.filter(({ backingFile }) => backingFile === scene.path),
      [{ number: scene.number, backingFile: scene.path }],
    );
  });

  it('a device grows with its file when it is told to', async () => {
    const scene = await attach('growing');
    assert.equal(sizeOf(scene.device), MEBIBYTE);
    const file = openSync(scene.path, 'r+');
    ftruncateSync(file, 2 * MEBIBYTE);
    closeSync(file);
    await native.growLoop(scene.descriptor);
    assert.equal(sizeOf(scene.device), 2 * MEBIBYTE);
  });

  it('a device that somebody has open stays as it was, and works on', async () => {
    const scene = await attach('busy');
    const user = openSync(scene.device, 'r+');
    assert.equal(await native.detachLoop(scene.descriptor, false), 'busy');
    assert.equal((await native.loopStatus(scene.descriptor)).autoClear, false);
    assert.equal(writeSync(user, 'still'), 5);
    closeSync(user);
    assert.equal((await native.loopStatus(scene.descriptor)).autoClear, false);
    assert.equal(await native.detachLoop(scene.descriptor, false), 'detached');
    await assert.rejects(native.loopStatus(scene.descriptor), { code: 'ENXIO', syscall: 'ioctl' });
    assert.equal(await native.detachLoop(scene.descriptor, false), 'detached');
  });

  it('a deferred detachment happens when the last user closes the device, unless it is taken back before', async () => {
    const scene = await attach('deferred');
    const user = openSync(scene.device, 'r');
    assert.equal(await native.detachLoop(scene.descriptor, true), 'deferred');
    assert.equal((await native.loopStatus(scene.descriptor)).autoClear, true);
    assert.equal(await native.keepLoop(scene.descriptor), true);
    assert.equal((await native.loopStatus(scene.descriptor)).autoClear, false);
    assert.equal(await native.detachLoop(scene.descriptor, true), 'deferred');
    closeSync(scene.descriptor);
    attached.splice(0);
    closeSync(user);
    const again = openSync(scene.device, 'r');
    await assert.rejects(native.loopStatus(again), { code: 'ENXIO' });
    assert.equal(await native.keepLoop(again), false);
    closeSync(again);
  });

  it('an emptied device fails whatever its users ask', async () => {
    const scene = await attach('emptied');
    const user = openSync(scene.device, 'r+');
    assert.equal(await native.emptyLoop(scene.descriptor), true);
    assert.throws(() => writeSync(user, 'lost', 4096), { code: 'ENOSPC' });
    assert.equal(readSync(user, Buffer.alloc(512), 0, 512, 0), 0);
    closeSync(user);
    assert.equal(statSync(scene.path).size, MEBIBYTE);
  });

  it('with autoClear the device goes with its last descriptor', async () => {
    const scene = await attach('auto', true);
    closeSync(scene.descriptor);
    attached.splice(0);
    const rows = await native.listLoops();
    assert.equal(
      rows.some(({ backingFile }) => backingFile === scene.path),
      false,
    );
  });

  it('what is no file cannot be attached, what is no loop device has no status', async () => {
    const [one, other] = native.socketPair('stream');
    await assert.rejects(native.attachLoop(one, 0, false), { code: 'EINVAL', syscall: 'ioctl' });
    await assert.rejects(native.loopStatus(one), { syscall: 'ioctl' });
    for (const open of [one, other]) closeSync(open);
  });
});
