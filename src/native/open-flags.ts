/** Flags of open(2) for working by descriptors: nothing is followed, and what is only named is neither read nor woken. */
import { constants } from 'node:fs';

/** Linux, all architectures Node runs on; node:fs does not export it. */
export const O_PATH = 0o10000000;

/** Its names can be listed. */
export const READ_DIRECTORY: number = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** Whatever it is, a link itself too: a fifo does not wait, a device does nothing, and no permission on it is needed. */
export const NAME_ONLY: number = O_PATH | constants.O_NOFOLLOW;
/** A directory without any permission on it. */
export const NAME_DIRECTORY: number = NAME_ONLY | constants.O_DIRECTORY;
