/**
 * Listings. File systems yield neither `.` nor `..`: they come from here, with the first two positions. So a file
 * system's cookie c (1 or more) is c + 2 on the wire, and 0 stays the start of the listing.
 */
import { constants as fileConstants } from 'node:fs';
import { constants } from 'node:os';
import type { NodeId } from '../../base/ids.ts';
import type { DirectoryEntry } from '../../vfs/file-system.ts';
import { OUT_HEADER_BYTES } from '../abi.ts';
import { encodeOpen, type ReplyWriter } from '../encode.ts';
import type { Handler } from '../exchange.ts';
import { WireError } from '../wire-error.ts';

const { EINVAL, ENOSYS } = constants.errno;
const { S_IFDIR } = fileConstants;

/** Positions taken by `.` and `..`. */
const DOT_COOKIES = 2;
/** Nobody relies on the inode number a listing shows for `..`; libfuse gives this one too. */
const UNKNOWN_INODE = 0xffff_ffff;
const NO_HANDLE = { handle: 0, flags: 0 };

/** ENOSYS makes the kernel open directories by itself from then on, keeping their listings cached. */
export const openDirectory: Handler = (exchange) => {
  if (exchange.features.has('NO_OPENDIR_SUPPORT')) return exchange.refuse(ENOSYS);
  exchange.answer(NO_HANDLE, encodeOpen);
};

export const readDirectory: Handler = (exchange) => {
  const { request, fileSystem, caller } = exchange;
  const nodeId = request.nodeId as NodeId;
  const handle = request.u64();
  const wireCookie = request.u64();
  const limitBytes = Math.min(request.u32(), exchange.reply.capacityBytes);
  const cookie = Math.max(0, wireCookie - DOT_COOKIES);
  exchange.answer(fileSystem.readDirectory(caller, nodeId, handle, cookie), (reply, entries) =>
    encodeListing(reply, { nodeId, wireCookie, limitBytes, entries }),
  );
};

interface Listing {
  readonly nodeId: NodeId;
  readonly wireCookie: number;
  readonly limitBytes: number;
  readonly entries: Iterable<DirectoryEntry>;
}

function encodeListing(reply: ReplyWriter, { nodeId, wireCookie, limitBytes, entries }: Listing): void {
  if (wireCookie < 1 && !reply.dirent(nodeId, 1, S_IFDIR, '.', limitBytes)) throw tooSmall();
  if (wireCookie < 2 && !reply.dirent(UNKNOWN_INODE, 2, S_IFDIR, '..', limitBytes)) {
    if (wireCookie === 1) throw tooSmall();
    return;
  }
  for (const entry of entries) {
    if (reply.dirent(entry.nodeId, entry.cookie + DOT_COOKIES, entry.type, entry.name, limitBytes)) continue;
    // An empty reply would mean the end of the directory.
    if (reply.lengthBytes === OUT_HEADER_BYTES) throw tooSmall();
    return;
  }
}

const tooSmall = (): WireError => new WireError(EINVAL, 'the buffer has no room for one name');
