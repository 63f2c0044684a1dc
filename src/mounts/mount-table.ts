/** The mounts of this process's mount namespace, as /proc/self/mountinfo tells them (proc(5)). */
import { readFile } from 'node:fs/promises';
import { isAtOrBeneath } from '../base/paths.ts';
import { fromSystemError } from '../errors/dunnage-error.ts';

export interface MountRow {
  readonly mountId: number;
  readonly parentId: number;
  /** `major:minor` of the superblock; for FUSE the minor number names the connection under /sys/fs/fuse/connections. */
  readonly deviceId: string;
  /** Which directory of the file system is mounted; other than `/` for a bind mount. */
  readonly root: string;
  readonly mountPoint: string;
  /** Options of this mount point alone, e.g. `ro` after `setMountReadOnly`. */
  readonly options: readonly string[];
  /** Peer group of a shared mount. */
  readonly sharedGroup: number | undefined;
  /** Peer group a slave mount receives from. */
  readonly masterGroup: number | undefined;
  readonly unbindable: boolean;
  readonly type: string;
  readonly source: string;
  /** Options of the superblock, shared by all its mount points. */
  readonly superOptions: readonly string[];
}

const MOUNT_TABLE = '/proc/self/mountinfo';

/** Every mount, in mount order: of several on one mount point the last is the visible one. @throws DunnageError */
export async function readMountTable(path: string = MOUNT_TABLE): Promise<readonly MountRow[]> {
  return parseMountTable(await readText(path));
}

/** The mounts at and beneath a path, in mount order. Only these are taken apart: there may be thousands. @throws DunnageError */
export async function readMountsBeneath(path: string): Promise<readonly MountRow[]> {
  const text = await readText(MOUNT_TABLE);
  const written = ` ${escapeField(path)}`;
  const lines = text.split('\n').filter((line) => line.includes(written));
  return lines.map(parseRow).filter(({ mountPoint }) => isAtOrBeneath(mountPoint, path));
}

/** The visible mount whose mount point is exactly `mountPoint` (absolute, without symlinks), if there is one. */
export async function findMount(mountPoint: string): Promise<MountRow | undefined> {
  return (await readMountTable()).findLast((row) => row.mountPoint === mountPoint);
}

export function parseMountTable(text: string): readonly MountRow[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map(parseRow);
}

function parseRow(line: string): MountRow {
  const fields = line.split(' ');
  // Optional fields end with a lone hyphen; none of the fixed ones before can be one.
  const end = fields.indexOf('-', 6);
  const [mountId, parentId, deviceId, root, mountPoint, options] = fields;
  const [type, source, superOptions] = end < 0 ? [] : fields.slice(end + 1);
  if (mountPoint === undefined || root === undefined || superOptions === undefined) {
    throw new TypeError(`not a line of mountinfo: ${line}`);
  }
  const optional = new Map(fields.slice(6, end).map((field) => splitTag(field)));
  return {
    mountId: Number(mountId),
    parentId: Number(parentId),
    deviceId: deviceId ?? '',
    root: unescapeField(root),
    mountPoint: unescapeField(mountPoint),
    options: splitOptions(options ?? ''),
    sharedGroup: groupOf(optional.get('shared')),
    masterGroup: groupOf(optional.get('master')),
    unbindable: optional.has('unbindable'),
    type: unescapeField(type ?? ''),
    source: unescapeField(source ?? ''),
    superOptions: splitOptions(superOptions).map(unescapeField),
  };
}

function splitTag(field: string): [string, string] {
  const colon = field.indexOf(':');
  return colon < 0 ? [field, ''] : [field.slice(0, colon), field.slice(colon + 1)];
}

const groupOf = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text));
const splitOptions = (text: string): readonly string[] => text.split(',').filter((option) => option !== '');

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw fromSystemError(error, `cannot read ${path}`);
  }
}

/** The kernel writes blank, tab, newline, backslash and `#` as a backslash and three octal digits. */
function unescapeField(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

function escapeField(text: string): string {
  return text.replace(/[ \t\n\\#]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`);
}
