/** Operations on a node itself. */
import { constants } from 'node:os';
import type { NodeId } from '../../base/ids.ts';
import type { SetAttributesRequest } from '../../vfs/file-system.ts';
import { FATTR, GETATTR_FH } from '../abi.ts';
import type { RequestReader } from '../decode.ts';
import { encodeAttributesReply, encodeStatus, type ReplyWriter } from '../encode.ts';
import type { Handler } from '../exchange.ts';
import { readOnly } from './names.ts';

const { EINVAL, ENOSYS } = constants.errno;
const PERMISSION_BITS = 0o7777;

export const getAttributes: Handler = (exchange) => {
  const { request, fileSystem, caller } = exchange;
  const flags = request.u32();
  request.skip(4);
  const handle = (flags & GETATTR_FH) !== 0 ? request.u64() : undefined;
  exchange.answer(fileSystem.getAttributes(caller, request.nodeId as NodeId, handle), encodeAttributesReply);
};

const REPRESENTABLE = FATTR.MODE | FATTR.UID | FATTR.GID | FATTR.SIZE;
const TIMES = FATTR.ATIME | FATTR.MTIME | FATTR.CTIME | FATTR.ATIME_NOW | FATTR.MTIME_NOW;

/** Times cannot be set on anything served: a request that asks for it is refused as a whole. One that asks for nothing is a GETATTR. */
export const setAttributes: Handler = (exchange) => {
  const { request, fileSystem, caller } = exchange;
  const nodeId = request.nodeId as NodeId;
  const valid = request.u32();
  const wanted = readSetAttributes(request, valid);
  if ((valid & (REPRESENTABLE | TIMES)) === 0) {
    return exchange.answer(fileSystem.getAttributes(caller, nodeId, wanted.handle), encodeAttributesReply);
  }
  if (fileSystem.setAttributes === undefined || (valid & TIMES) !== 0) return readOnly(exchange);
  exchange.answer(fileSystem.setAttributes(caller, nodeId, wanted), encodeAttributesReply);
};

/** The rest of `struct fuse_setattr_in` behind `valid`. */
function readSetAttributes(request: RequestReader, valid: number): SetAttributesRequest {
  const wanted: { -readonly [Key in keyof SetAttributesRequest]: SetAttributesRequest[Key] } = {};
  request.skip(4);
  if ((valid & FATTR.FH) !== 0) wanted.handle = request.u64();
  else request.skip(8);
  if ((valid & FATTR.SIZE) !== 0) wanted.sizeBytes = request.u64();
  else request.skip(8);
  // Lock owner, three times in seconds, three in nanoseconds.
  request.skip(8 + 3 * 8 + 3 * 4);
  const mode = request.u32();
  request.skip(4);
  const uid = request.u32();
  const gid = request.u32();
  if ((valid & FATTR.MODE) !== 0) wanted.mode = mode & PERMISSION_BITS;
  if ((valid & FATTR.UID) !== 0) wanted.uid = uid;
  if ((valid & FATTR.GID) !== 0) wanted.gid = gid;
  return wanted;
}

export const readLink: Handler = (exchange) => {
  const { request, fileSystem, caller } = exchange;
  // Only a tree without symlinks has no readLink: what it is asked for is not a symlink.
  if (fileSystem.readLink === undefined) return exchange.refuse(EINVAL);
  exchange.answer(fileSystem.readLink(caller, request.nodeId as NodeId), encodeText);
};

function encodeText(reply: ReplyWriter, text: string): void {
  reply.data = Buffer.from(text);
}

export const statFileSystem: Handler = (exchange) => {
  const { request, fileSystem, caller } = exchange;
  exchange.answer(fileSystem.statFileSystem(caller, request.nodeId as NodeId), encodeStatus);
};

/** Asked only of mounts without `default_permissions`; ENOSYS means that all is allowed and is asked once. */
export const access: Handler = (exchange) => {
  const { request, fileSystem, caller } = exchange;
  if (fileSystem.access === undefined) return exchange.refuse(ENOSYS);
  exchange.answerDone(fileSystem.access(caller, request.nodeId as NodeId, request.u32()));
};
