/** The file system of a pool takes in what lies beneath it and is new: a file made longer, a block device that has become larger. */
import { closeSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { DunnageError } from '../../errors/dunnage-error.ts';
import { findMount } from '../../mounts/mount-table.ts';
import { loadNative } from '../../native/load.ts';
import { growFile } from '../grow-file.ts';
import { runProgram } from '../run-program.ts';
import type { MountedPlace, PoolPlace } from './pool-place.ts';

const GROW_TIMEOUT_MS = 300_000;

/**
 * A directory has the size of the file system that somebody else looks after. `change` runs what changes the file system of the pool: only
 * that, because writers that wait for room go on meanwhile. @throws DunnageError INVALID_ARGUMENT, NO_SPACE
 */
export async function growPlace(
  place: PoolPlace,
  mounted: MountedPlace,
  sizeBytes: number | undefined,
  change: (work: () => Promise<unknown>) => Promise<unknown> = (work) => work(),
): Promise<void> {
  if (place.kind === 'directory') {
    if (sizeBytes === undefined) return;
    throw new DunnageError('INVALID_ARGUMENT', `${place.path} has the size of the file system it is on`, {
      remedy: 'make that file system larger; the pool needs not be told',
    });
  }
  if (place.kind === 'device' && sizeBytes !== undefined) {
    throw new DunnageError('INVALID_ARGUMENT', `${place.path} has a size of its own`, {
      remedy: 'make the block device itself larger; the pool takes in what is new',
    });
  }
  const mount = await findMount(mounted.path);
  if (mount === undefined) throw new DunnageError('NOT_FOUND', `the pool in ${place.path} is not mounted`);
  if (place.kind === 'file') {
    if (sizeBytes !== undefined) await growFile(loadNative(), place.path, sizeBytes);
    await growLoop(mount.source);
  }
  if (mount.type === 'btrfs') {
    const words = ['filesystem', 'resize', 'max', mounted.path];
    await change(() => runProgram('btrfs', words, { timeoutMs: GROW_TIMEOUT_MS, debPackage: 'btrfs-progs' }));
  } else {
    const options = { timeoutMs: GROW_TIMEOUT_MS, debPackage: 'xfsprogs' };
    const { output } = await runProgram('xfs_growfs', ['-n', mounted.path], options);
    if (isAsLargeAs(output, mount.source)) return;
    await change(() => runProgram('xfs_growfs', ['-d', mounted.path], options));
  }
}

/** While it is mounted it can be attached to nothing else. */
async function growLoop(path: string): Promise<void> {
  const device = await open(path, 'r');
  try {
    await loadNative().growLoop(device.fd);
  } finally {
    await device.close();
  }
}

/** `shown`: what xfs_growfs says of the file system. False if that cannot be understood: growing what is as large changes nothing. */
function isAsLargeAs(shown: string, devicePath: string): boolean {
  const [, blockBytes, blocks] = /^data +=.*bsize=(\d+) +blocks=(\d+)/m.exec(shown) ?? [];
  if (blockBytes === undefined || blocks === undefined) return false;
  const device = openSync(devicePath, 'r');
  try {
    const missingBytes = loadNative().blockDeviceSize(device) - Number(blockBytes) * Number(blocks);
    return missingBytes < Number(blockBytes);
  } finally {
    closeSync(device);
  }
}
