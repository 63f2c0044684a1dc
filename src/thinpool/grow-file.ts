/** A file in which a pool lies, made longer. */
import { open } from 'node:fs/promises';
import { formatBytes } from '../base/units.ts';
import { DunnageError, fromSystemError } from '../errors/dunnage-error.ts';
import type { NativeBinding } from '../native/binding.ts';

/**
 * The space is taken now and cannot be missing later, also where the file has holes. Without the room for all of
 * it the file is as it was.
 * @throws DunnageError INVALID_ARGUMENT if it would become shorter, NOT_FOUND, NO_SPACE
 */
export async function growFile(native: NativeBinding, path: string, sizeBytes: number): Promise<void> {
  try {
    const file = await open(path, 'r+');
    try {
      const { size, blocks } = await file.stat();
      if (sizeBytes < size) {
        const sizes = `${formatBytes(size)}: it cannot become ${formatBytes(sizeBytes)}`;
        throw new DunnageError('INVALID_ARGUMENT', `the pool in ${path} has ${sizes}`, {
          remedy: 'a pool can only become larger; make a smaller one and move there what is in this one',
        });
      }
      if (sizeBytes === size && blocks * 512 >= size) return;
      try {
        await native.allocateSpace(file.fd, sizeBytes);
      } catch (error) {
        await file.truncate(size);
        throw error;
      }
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fromSystemError(error, `cannot make the pool in ${path} larger`);
  }
}
