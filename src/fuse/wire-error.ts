/** A refusal by the wire layer itself, as opposed to one by the file system (`DunnageError`). */
import { constants } from 'node:os';

export class WireError extends Error {
  override readonly name = 'WireError';
  /** Positive. */
  readonly errno: number;

  constructor(errno: number, message: string) {
    super(message);
    this.errno = errno;
  }
}

const { EINVAL, ENAMETOOLONG, ENOENT } = constants.errno;

/** The request is shorter than its operation says, or names an id this program never gave out. */
export const malformed = (what: string): WireError => new WireError(EINVAL, what);

/** The name is not UTF-8. No name of ours is such, so nothing has it. */
export const notUtf8 = (): WireError => new WireError(ENOENT, 'name is not UTF-8');

export const nameTooLong = (): WireError => new WireError(ENAMETOOLONG, 'name is too long');
