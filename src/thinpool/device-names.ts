/** What a thin device may be called, and how large it may be. */
import { DunnageError } from '../errors/dunnage-error.ts';

/** Room for the name of a pool beside it within the 127 bytes of the kernel. */
const NAME_LENGTH_MAX = 90;
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.+-]*$/;
const SECTOR_BYTES = 512;

/** Throws INVALID_ARGUMENT. */
export function assertDeviceName(name: string): void {
  if (NAME.test(name) && name.length <= NAME_LENGTH_MAX) return;
  throw new DunnageError('INVALID_ARGUMENT', `${JSON.stringify(name)} cannot be the name of a thin device`, {
    remedy: `Choose at most ${NAME_LENGTH_MAX} letters, digits and _ . + -, beginning with a letter, a digit or _`,
  });
}

/** Throws INVALID_ARGUMENT. */
export function assertDeviceSize(name: string, sizeBytes: number): void {
  if (Number.isSafeInteger(sizeBytes) && sizeBytes > 0 && sizeBytes % SECTOR_BYTES === 0) return;
  throw new DunnageError('INVALID_ARGUMENT', `thin device ${name} cannot have ${sizeBytes} bytes`, {
    remedy: `Choose a multiple of ${SECTOR_BYTES} bytes.`,
  });
}
