/** The errors of archives that cannot be read: they say where, in bytes from the beginning. */
import { DunnageError } from '../errors/dunnage-error.ts';

/** The archive is damaged, cut off, or none at all. */
export function brokenArchive(what: string, offsetBytes: number): DunnageError {
  return new DunnageError('CORRUPT', `the archive cannot be read: ${what} (at byte ${offsetBytes})`, {
    remedy: 'make the archive again, or copy it again from where it came',
  });
}

/** The archive is whole, but has something in it that is not known or larger than is taken. */
export function refusedArchive(what: string, offsetBytes: number): DunnageError {
  return new DunnageError(
    'NOT_SUPPORTED',
    `the archive has what dunnage does not read: ${what} (at byte ${offsetBytes})`,
  );
}
