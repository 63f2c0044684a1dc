/** Why tests that mount cannot run here; false if they can. Meant for the `skip` of a test. */
import { accessSync, constants } from 'node:fs';

export function skipUnlessFuse(): string | false {
  if (process.geteuid?.() !== 0) return 'needs root: it mounts';
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
    return false;
  } catch {
    return 'needs /dev/fuse';
  }
}

export function skipUnlessRoot(): string | false {
  return process.geteuid?.() === 0 ? false : 'needs root: it mounts';
}
