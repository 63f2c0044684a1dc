/**
 * Extended attributes as PAX records. `SCHILY.xattr.<name>` has the plain bytes, as GNU tar, star and container tools write it, with
 * `%3D` for `=` and `%25` for `%` in the name. `LIBARCHIVE.xattr.<name>` (name in percent signs, value in base64) is read too.
 * Access control lists are text: `SCHILY.acl.access`, `SCHILY.acl.default`.
 */
import { type ByteText, bytesOf, byteTextOf, readableText } from '../base/byte-text.ts';
import { aclBytes, aclText, type OwnerNumbers } from './acl-text.ts';
import type { PaxRecord } from './pax-records.ts';

const SCHILY = 'SCHILY.xattr.';
const LIBARCHIVE = 'LIBARCHIVE.xattr.';
const LISTS: ReadonlyMap<string, ByteText> = new Map([
  ['SCHILY.acl.access', 'system.posix_acl_access' as ByteText],
  ['SCHILY.acl.default', 'system.posix_acl_default' as ByteText],
]);
const RECORD_OF_LIST: ReadonlyMap<ByteText, string> = new Map([...LISTS].map(([record, name]) => [name, record]));
const BASE64 = /^[A-Za-z0-9+/\s]*=*\s*$/;

/** The attributes that some records are, or the reason why one of them is none. */
export function readAttributes(records: Iterable<PaxRecord>, numbers: OwnerNumbers): Map<ByteText, Buffer> | string {
  const attributes = new Map<ByteText, Buffer>();
  const second = new Map<ByteText, Buffer>();
  for (const [key, value] of records) {
    if (key.startsWith(SCHILY)) {
      attributes.set(fromPercent(key.slice(SCHILY.length)), bytesOf(value));
    } else if (key.startsWith(LIBARCHIVE)) {
      if (!BASE64.test(value)) return `the extended attribute ${readableText(key)} is not in base64`;
      second.set(fromPercent(key.slice(LIBARCHIVE.length)), Buffer.from(value, 'base64'));
    } else {
      const list = LISTS.get(key);
      if (list === undefined || value === '') continue;
      const bytes = aclBytes(readableText(value), numbers);
      if (typeof bytes === 'string') return bytes;
      attributes.set(list, bytes);
    }
  }
  for (const [name, value] of second) if (!attributes.has(name)) attributes.set(name, value);
  for (const name of attributes.keys())
    if (name === '' || name.includes('\0')) return 'an extended attribute has a name that none can have';
  return attributes;
}

export function writeAttributes(attributes: ReadonlyMap<ByteText, Buffer>): PaxRecord[] {
  const records: PaxRecord[] = [];
  for (const name of [...attributes.keys()].sort()) {
    const value = attributes.get(name) as Buffer;
    const list = RECORD_OF_LIST.get(name);
    const text = list === undefined ? undefined : aclText(value);
    if (list !== undefined && text !== undefined) records.push([list as ByteText, text]);
    else records.push([`${SCHILY}${toPercent(name)}` as ByteText, byteTextOf(value)]);
  }
  return records;
}

function toPercent(name: ByteText): string {
  return name.replaceAll('%', '%25').replaceAll('=', '%3D');
}

function fromPercent(name: string): ByteText {
  return name.replace(/%([0-9A-Fa-f]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  ) as ByteText;
}
