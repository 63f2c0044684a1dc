/** Operations on a name in a directory. What the file system does not define would change the tree: EROFS. */
import { constants as fileConstants } from 'node:fs';
import { constants } from 'node:os';
import type { NodeId } from '../../base/ids.ts';
import type { Exchange, Handler } from '../exchange.ts';

const PERMISSION_BITS = 0o7777;
export const readOnly: Handler = (exchange) => exchange.refuse(constants.errno.EROFS);

export const lookup: Handler = (exchange) => {
  const { request, fileSystem, caller } = exchange;
  exchange.answerEntry(fileSystem.lookup(caller, request.nodeId as NodeId, request.name()));
};

/** The kernel has applied the caller's umask. */
export const makeDirectory: Handler = (exchange) => {
  const { request, fileSystem, caller } = exchange;
  if (fileSystem.makeDirectory === undefined) return readOnly(exchange);
  const mode = request.u32() & PERMISSION_BITS;
  request.skip(4);
  exchange.answerEntry(fileSystem.makeDirectory(caller, request.nodeId as NodeId, request.name(), mode));
};

/** Regular files only; whatever else there is to make is refused as on a file system that is read-only. */
export const makeNode: Handler = (exchange) => {
  const { request, fileSystem, caller } = exchange;
  if (fileSystem.makeFile === undefined) return readOnly(exchange);
  const mode = request.u32();
  // Device number, umask (applied by the kernel), padding.
  request.skip(4 + 4 + 4);
  const isFile = (mode & fileConstants.S_IFMT) === fileConstants.S_IFREG;
  if (!isFile) return readOnly(exchange);
  const parent = request.nodeId as NodeId;
  exchange.answerEntry(fileSystem.makeFile(caller, parent, request.name(), mode & PERMISSION_BITS));
};

export const makeSymlink: Handler = (exchange) => {
  const { request, fileSystem, caller } = exchange;
  if (fileSystem.makeSymlink === undefined) return readOnly(exchange);
  const name = request.name();
  const target = request.text();
  exchange.answerEntry(fileSystem.makeSymlink(caller, request.nodeId as NodeId, name, target));
};

export const unlink: Handler = (exchange) => {
  const { request, fileSystem, caller } = exchange;
  if (fileSystem.unlink === undefined) return readOnly(exchange);
  exchange.answerDone(fileSystem.unlink(caller, request.nodeId as NodeId, request.name()));
};

export const removeDirectory: Handler = (exchange) => {
  const { request, fileSystem, caller } = exchange;
  if (fileSystem.removeDirectory === undefined) return readOnly(exchange);
  exchange.answerDone(fileSystem.removeDirectory(caller, request.nodeId as NodeId, request.name()));
};

export const rename: Handler = (exchange) => {
  renameWithFlags(exchange, exchange.request.u64(), 0);
};

export const rename2: Handler = (exchange) => {
  const { request } = exchange;
  const newParent = request.u64();
  const flags = request.u32();
  request.skip(4);
  renameWithFlags(exchange, newParent, flags);
};

/** `flags` are those of renameat2(2). */
function renameWithFlags(exchange: Exchange, newParent: number, flags: number): void {
  const { request, fileSystem, caller } = exchange;
  if (fileSystem.rename === undefined) {
    readOnly(exchange);
    return;
  }
  const name = request.name();
  const newName = request.name();
  const parent = request.nodeId as NodeId;
  const onDecided = (): void => exchange.answerAhead(caller);
  exchange.answerDone(fileSystem.rename(caller, parent, name, newParent as NodeId, newName, flags, onDecided));
}
