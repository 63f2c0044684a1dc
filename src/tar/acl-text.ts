/**
 * POSIX access control lists: archives have them as text (`user::rwx,user:1000:r-x,mask::rwx,...`: SCHILY.acl.access and
 * SCHILY.acl.default), the kernel as bytes of an extended attribute (system.posix_acl_access and system.posix_acl_default).
 */
import { type ByteText, byteText } from '../base/byte-text.ts';

/** What finds the number of a user or group that a list names, on the host that reads it. */
export interface OwnerNumbers {
  user(name: string): number | undefined;
  group(name: string): number | undefined;
}

interface AclEntry {
  readonly tag: number;
  readonly permissions: number;
  readonly id: number;
}

const VERSION = 2;
const HEADER_BYTES = 4;
const ENTRY_BYTES = 8;
const NOBODY_NAMED = 0xffff_ffff;
const TAG = { owner: 0x01, user: 0x02, owningGroup: 0x04, group: 0x08, mask: 0x10, other: 0x20 } as const;
const LETTERS = ['r', 'w', 'x'] as const;

/** The text of an attribute's bytes, or undefined if they are no list. */
export function aclText(value: Uint8Array): ByteText | undefined {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (bytes.length < HEADER_BYTES || (bytes.length - HEADER_BYTES) % ENTRY_BYTES !== 0) return undefined;
  if (bytes.readUInt32LE(0) !== VERSION) return undefined;
  const lines: string[] = [];
  for (let at = HEADER_BYTES; at < bytes.length; at += ENTRY_BYTES) {
    const tag = bytes.readUInt16LE(at);
    const kind = kindOf(tag);
    if (kind === undefined) return undefined;
    const named = tag === TAG.user || tag === TAG.group ? String(bytes.readUInt32LE(at + 4)) : '';
    lines.push(`${kind}:${named}:${permissionLetters(bytes.readUInt16LE(at + 2))}`);
  }
  return byteText(lines.join(','));
}

/** The attribute's bytes of a text, or the reason why it is none. */
export function aclBytes(text: string, numbers: OwnerNumbers): Buffer | string {
  const entries: AclEntry[] = [];
  for (const line of text.split(/[,\n]/)) {
    const plain = line.replace(/#.*/, '').trim();
    if (plain === '') continue;
    const entry = readEntry(plain, numbers);
    if (typeof entry === 'string') return entry;
    entries.push(entry);
  }
  // The kernel takes them in this order only.
  entries.sort((a, b) => a.tag - b.tag || a.id - b.id);
  const bytes = Buffer.alloc(HEADER_BYTES + entries.length * ENTRY_BYTES);
  bytes.writeUInt32LE(VERSION, 0);
  entries.forEach((entry, index) => {
    const at = HEADER_BYTES + index * ENTRY_BYTES;
    bytes.writeUInt16LE(entry.tag, at);
    bytes.writeUInt16LE(entry.permissions, at + 2);
    bytes.writeUInt32LE(entry.id, at + 4);
  });
  return bytes;
}

function kindOf(tag: number): string | undefined {
  if (tag === TAG.owner || tag === TAG.user) return 'user';
  if (tag === TAG.owningGroup || tag === TAG.group) return 'group';
  if (tag === TAG.mask) return 'mask';
  return tag === TAG.other ? 'other' : undefined;
}

function permissionLetters(permissions: number): string {
  return LETTERS.map((letter, index) => ((permissions & (4 >> index)) === 0 ? '-' : letter)).join('');
}

/** `user:name:rwx`, and with star and libarchive a number behind it: `user:name:rwx:1000`. */
function readEntry(line: string, numbers: OwnerNumbers): AclEntry | string {
  const parts = line.split(':');
  const kind = parts[0] ?? '';
  // `mask:rwx` and `other:rwx` are written too.
  const isShort = parts.length === 2 && /^(?:m|mask|o|other)$/.test(kind);
  const name = isShort ? '' : (parts[1] ?? '');
  const permissions = readPermissions((isShort ? parts[1] : parts[2]) ?? '');
  if (permissions === undefined) return `the access control list has an entry without permissions: ${line}`;
  if (/^(?:m|mask)$/.test(kind)) return { tag: TAG.mask, permissions, id: NOBODY_NAMED };
  if (/^(?:o|other)$/.test(kind)) return { tag: TAG.other, permissions, id: NOBODY_NAMED };
  const isUser = /^(?:u|user)$/.test(kind);
  if (!isUser && !/^(?:g|group)$/.test(kind)) return `the access control list has an unknown entry: ${line}`;
  if (name === '') return { tag: isUser ? TAG.owner : TAG.owningGroup, permissions, id: NOBODY_NAMED };
  const id = readNumber(name) ?? readNumber(parts[3] ?? '') ?? (isUser ? numbers.user(name) : numbers.group(name));
  if (id === undefined) return `the access control list names "${name}", whom this host does not know`;
  return { tag: isUser ? TAG.user : TAG.group, permissions, id };
}

function readNumber(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) && Number(text) < NOBODY_NAMED ? Number(text) : undefined;
}

function readPermissions(text: string): number | undefined {
  if (!/^[rwx-]{1,4}$/.test(text)) return undefined;
  return LETTERS.reduce((sum, letter, index) => (text.includes(letter) ? sum | (4 >> index) : sum), 0);
}
