/**
 * Which handler serves which operation. What is not listed is answered ENOSYS: the kernel then stops asking (FLUSH,
 * FSYNC, FSYNCDIR, BMAP, POLL, LSEEK, COPY_FILE_RANGE, STATX, locks, READDIRPLUS) or does without.
 */
import { constants } from 'node:os';
import { OPCODE, OPCODE_COUNT, type OpcodeName } from '../abi.ts';
import type { Handler } from '../exchange.ts';
import { batchForget, destroy, forget, ignore, interrupt, sync } from './control.ts';
import { openDirectory, readDirectory } from './directories.ts';
import { getExtendedAttribute, listExtendedAttributes } from './extended-attributes.ts';
import { allocate, open, read, release, write } from './files.ts';
import {
  lookup,
  makeDirectory,
  makeNode,
  makeSymlink,
  readOnly,
  removeDirectory,
  rename,
  rename2,
  unlink,
} from './names.ts';
import { access, getAttributes, readLink, setAttributes, statFileSystem } from './nodes.ts';

const done: Handler = (exchange) => exchange.done();
const noSuchControl: Handler = (exchange) => exchange.refuse(constants.errno.ENOTTY);

const HANDLERS_BY_NAME: Readonly<Partial<Record<OpcodeName, Handler>>> = {
  LOOKUP: lookup,
  FORGET: forget,
  BATCH_FORGET: batchForget,
  GETATTR: getAttributes,
  SETATTR: setAttributes,
  READLINK: readLink,
  SYMLINK: makeSymlink,
  MKDIR: makeDirectory,
  UNLINK: unlink,
  RMDIR: removeDirectory,
  RENAME: rename,
  RENAME2: rename2,
  MKNOD: makeNode,
  LINK: readOnly,
  CREATE: readOnly,
  TMPFILE: readOnly,
  OPEN: open,
  READ: read,
  WRITE: write,
  RELEASE: release,
  FALLOCATE: allocate,
  STATFS: statFileSystem,
  SYNCFS: sync,
  SETXATTR: readOnly,
  GETXATTR: getExtendedAttribute,
  LISTXATTR: listExtendedAttributes,
  REMOVEXATTR: readOnly,
  OPENDIR: openDirectory,
  READDIR: readDirectory,
  RELEASEDIR: done,
  ACCESS: access,
  INTERRUPT: interrupt,
  IOCTL: noSuchControl,
  NOTIFY_REPLY: ignore,
  DESTROY: destroy,
};

/** The table by number; `init` serves INIT, which is the connection's own matter. */
export function handlerTable(init: Handler): readonly (Handler | undefined)[] {
  const table: (Handler | undefined)[] = new Array(OPCODE_COUNT).fill(undefined);
  for (const [name, handler] of Object.entries(HANDLERS_BY_NAME)) table[OPCODE[name as OpcodeName]] = handler;
  table[OPCODE.INIT] = init;
  return table;
}
