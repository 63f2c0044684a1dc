/**
 * Check and repair of a pool that is not in service.
 *
 * A repair never works on the only copy: the damaged metadata are saved, whole ones are made beside them and checked, and only then
 * written to the device. If that is interrupted, the next repair goes on with it.
 */
import { closeSync, constants, existsSync, fsyncSync, renameSync, rmSync } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import type { NativeBinding } from '../../native/binding.ts';
import { type BackingPaths, openBacking } from './backing.ts';
import { assertUnused, readMetadataContent } from './superblock.ts';
import { checkMetadata, clearNeedsCheck, repairMetadata } from './thin-tools.ts';

export interface Maintenance extends BackingPaths {
  readonly native: NativeBinding;
  readonly pool: string;
}

export interface RepairedPool {
  /** What was wrong; undefined if nothing was. */
  readonly problem: string | undefined;
  /** Where the damaged metadata are kept. */
  readonly saved: string | undefined;
}

const COPY_BYTES = 1024 * 1024;

/** What is wrong with the metadata, if something is. Throws BUSY if the pool is in service, MISSING_DEPENDENCY. */
export async function checkDeviceMapperPool(options: Maintenance): Promise<string | undefined> {
  return await withMetadata(options, (path) => checkMetadata(path));
}

/**
 * Makes the metadata whole again, and ends the wish of the kernel that they be checked. `directory` holds two copies of them for a while
 * (the size of the metadata device each). Throws BUSY if the pool is in service, CORRUPT if they cannot be mended.
 */
export async function repairDeviceMapperPool(options: Maintenance, directory: string): Promise<RepairedPool> {
  return await withMetadata(options, async (path, sizeBytes) => {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const repaired = join(directory, `${options.pool}.metadata.repaired`);
    const saved = join(directory, `${options.pool}.metadata.damaged`);
    let problem: string | undefined = 'an earlier repair was interrupted';
    if (!existsSync(repaired)) {
      problem = await checkMetadata(path);
      if (problem === undefined) {
        if (readMetadataContent(path).kind === 'pool') await clearNeedsCheck(path);
        return { problem, saved: undefined };
      }
      await copy(path, `${saved}.part`, sizeBytes);
      renameSync(`${saved}.part`, saved);
      await makeWhole(options.native, path, `${repaired}.part`, sizeBytes);
      renameSync(`${repaired}.part`, repaired);
    }
    await copy(repaired, path, sizeBytes);
    const left = await checkMetadata(path);
    if (left !== undefined)
      throw new DunnageError('CORRUPT', `the metadata of pool ${options.pool} cannot be mended: ${left}`);
    rmSync(repaired);
    return { problem, saved };
  });
}

/** Through a loop device: the tools write with direct I/O, which not every file system of a state directory has. */
async function makeWhole(native: NativeBinding, damaged: string, to: string, sizeBytes: number): Promise<void> {
  rmSync(to, { force: true });
  const file = await open(to, 'wx+', 0o600);
  try {
    await file.truncate(sizeBytes);
    const { number, descriptor } = await native.attachLoop(file.fd, 0, true);
    try {
      await repairMetadata(damaged, `/dev/loop${number}`);
      const left = await checkMetadata(`/dev/loop${number}`);
      if (left !== undefined) throw new DunnageError('CORRUPT', `the metadata cannot be mended: ${left}`);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

async function withMetadata<T>(
  options: Maintenance,
  work: (path: string, sizeBytes: number) => Promise<T>,
): Promise<T> {
  const backing = await openBacking(options.native, options);
  try {
    const { path, sizeBytes } = backing.metadata;
    assertUnused(path);
    return await work(path, sizeBytes);
  } finally {
    backing.release();
  }
}

/** All of `from` to the beginning of `to`, flushed. */
async function copy(from: string, to: string, sizeBytes: number): Promise<void> {
  const opened: FileHandle[] = [];
  try {
    const source = await open(from, 'r');
    opened.push(source);
    const target = await open(to, constants.O_RDWR | constants.O_CREAT, 0o600);
    opened.push(target);
    const buffer = Buffer.alloc(COPY_BYTES);
    for (let offset = 0; offset < sizeBytes; ) {
      const { bytesRead } = await source.read(buffer, 0, Math.min(COPY_BYTES, sizeBytes - offset), offset);
      if (bytesRead === 0) throw new DunnageError('IO', `${from} ends at ${offset} of ${sizeBytes} bytes`);
      await target.write(buffer, 0, bytesRead, offset);
      offset += bytesRead;
    }
    await target.sync();
  } catch (error) {
    throw fromSystemError(error, `cannot copy metadata from ${from} to ${to}`);
  } finally {
    for (const file of opened) await file.close();
  }
}
