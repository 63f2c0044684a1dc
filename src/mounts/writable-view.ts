/**
 * The tree is mounted read-only for everybody, and the agent works on a private, writable view of it. Whether the kernel can
 * make such a view: mount_setattr(2), since Linux 5.12.
 */
import { loadNative } from '../native/load.ts';

/** Not a mount, and never one: only the kind of refusal is of interest. */
const NO_MOUNT = '/proc/self/no-such-mount';

export function canMakeViewsWritable(): boolean {
  try {
    loadNative().setMountReadOnly(NO_MOUNT, false);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOSYS';
  }
  return true;
}
