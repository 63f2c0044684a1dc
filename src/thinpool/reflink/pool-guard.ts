/** The write guard of a pool: on a file system of its own only, because others would wait with the writers. */
import { statfs } from 'node:fs/promises';
import type { Log } from '../../base/log.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import { freezerProgramPath } from '../../native/programs.ts';
import { type SpaceMarks, spaceMarks } from '../space/space-marks.ts';
import { scopeWords } from './guard-scope.ts';
import type { MountedPlace } from './pool-place.ts';
import { WriteGuard } from './write-guard.ts';

export interface PoolGuardOptions {
  readonly mounted: MountedPlace;
  readonly highWaterPercent: number;
  readonly socketPath: string;
  readonly poolName: string;
  readonly onChange: (isFrozen: boolean, availableBytes: number) => void;
  readonly log: Log;
}

/** @throws DunnageError INVALID_ARGUMENT, MISSING_DEPENDENCY, TIMED_OUT */
export async function startPoolGuard(options: PoolGuardOptions): Promise<WriteGuard> {
  const { mounted, highWaterPercent, socketPath, poolName, onChange, log } = options;
  if (!mounted.isOwnFileSystem) {
    const message = `${mounted.path} is not a file system of its own: writers cannot be stopped there`;
    throw new DunnageError('INVALID_ARGUMENT', message, {
      remedy: 'give the pool a block device, or the mount point of a file system that holds nothing else',
    });
  }
  return await WriteGuard.start({
    ...(await marksOf(mounted.path, highWaterPercent)),
    programPath: freezerProgramPath(),
    socketPath,
    directory: mounted.path,
    onChange,
    launcher: scopeWords(`dunnage: stops the writers of the pool ${poolName} before it is full`),
    log,
  });
}

/** Of the file system as large as it is now. */
export async function marksOf(path: string, highWaterPercent: number): Promise<SpaceMarks> {
  const { bsize, blocks } = await statfs(path);
  return spaceMarks(blocks * bsize, highWaterPercent);
}
