/** Owner, mode, extended attributes and times of a node that was unpacked, in the order in which they do not undo each other. */
import { chmodSync, fchmodSync } from 'node:fs';
import type { NativeBinding } from '../native/binding.ts';
import { systemCode } from '../native/system-error.ts';
import type { TarEntry } from './entry.ts';
import { isKeptXattr } from './kept-xattrs.ts';

export interface UnpackRights {
  /** Owners are set, which root may only. Without it everything belongs to whoever unpacks, and loses setuid and setgid. */
  readonly owners: boolean;
}

/** What could not be kept, because this user or file system cannot. */
export interface LostAttributes {
  xattrs: number;
}

/** `open`: a descriptor for reading or writing. `path`: one of O_PATH, for links, devices and fifos. */
export type NodeDescriptor = { readonly descriptor: number; readonly kind: 'open' | 'path' };

const NOT_TO_BE_HAD = new Set(['EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP']);
const SET_ID_BITS = 0o6000;

/** Everything but the times, which any later change would change. */
export function applyAttributes(
  native: NativeBinding,
  node: NodeDescriptor,
  entry: TarEntry,
  rights: UnpackRights,
  lost: LostAttributes,
): void {
  const { descriptor, kind } = node;
  if (rights.owners) native.setOwner(descriptor, '', entry.userId, entry.groupId);
  // Links have no mode of their own. A change of the owner takes setuid away: so the mode comes after it.
  const mode = rights.owners ? entry.mode : entry.mode & ~SET_ID_BITS;
  if (kind === 'open') fchmodSync(descriptor, mode);
  else if (entry.type !== 'symlink') chmodSync(`/proc/self/fd/${descriptor}`, mode);
  for (const [name, value] of entry.xattrs) {
    if (!isKeptXattr(name)) continue;
    try {
      native.setXattr(descriptor, name, value);
    } catch (error) {
      if (!NOT_TO_BE_HAD.has(systemCode(error) ?? '') || (rights.owners && !name.startsWith('user.'))) throw error;
      lost.xattrs += 1;
    }
  }
}

export function applyTimes(native: NativeBinding, directory: number, name: string, entry: TarEntry): void {
  const { modifyTime } = entry;
  const accessTime = entry.accessTime ?? modifyTime;
  native.setTimes(
    directory,
    name,
    accessTime.seconds,
    accessTime.nanoseconds,
    modifyTime.seconds,
    modifyTime.nanoseconds,
  );
}
