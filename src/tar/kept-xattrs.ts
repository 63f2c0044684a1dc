/**
 * Which extended attributes belong to a file, and which to the host it lies on: labels of SELinux and Smack, signatures of IMA and
 * EVM, and what network and layered file systems keep for themselves are made by the host and stay there.
 */
import type { ByteText } from '../base/byte-text.ts';
import type { NativeBinding } from '../native/binding.ts';
import { systemCode } from '../native/system-error.ts';
import { NO_XATTRS } from './entry.ts';

const KEPT = /^(?:user\.|trusted\.(?!overlay\.)|security\.capability$|system\.posix_acl_(?:access|default)$)/;

export function isKeptXattr(name: string): boolean {
  return KEPT.test(name);
}

/** The attributes of an open file or directory, or of a link that is open with O_PATH, that go into an archive. */
export function readXattrs(native: NativeBinding, descriptor: number): ReadonlyMap<ByteText, Buffer> {
  let names: string[];
  try {
    names = native.listXattrs(descriptor).filter(isKeptXattr).sort();
  } catch (error) {
    // Without /proc those of links cannot be had; file systems without any say so in several ways.
    if (['ENOTSUP', 'EOPNOTSUPP', 'ENODATA', 'EPERM'].includes(systemCode(error) ?? '')) return NO_XATTRS;
    throw error;
  }
  if (names.length === 0) return NO_XATTRS;
  const xattrs = new Map<ByteText, Buffer>();
  for (const name of names) {
    try {
      xattrs.set(name as ByteText, native.getXattr(descriptor, name));
    } catch (error) {
      if (systemCode(error) !== 'ENODATA') throw error;
    }
  }
  return xattrs;
}
