/** A pool belongs to one process at a time. */
import { constants, openSync } from 'node:fs';
import { DunnageError } from '../../errors/dunnage-error.ts';
import { loadNative } from '../../native/load.ts';

/** One driver at a time: two would not know of each other's suspensions. Returns the locked directory. */
export function lockPool(path: string, poolName: string): number {
  const native = loadNative();
  const directory = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  if (native.tryLock(directory)) return directory;
  native.closeDescriptor(directory);
  throw new DunnageError('ALREADY_RUNNING', `another process has the pool ${poolName} open`);
}
