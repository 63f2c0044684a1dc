/** Open files and their content. */
import { strict as assert } from 'node:assert';
import { constants } from 'node:os';
import type { NodeId } from '../../base/ids.ts';
import { WRITE_CACHE } from '../abi.ts';
import { encodeOpen, encodeSize, type ReplyWriter } from '../encode.ts';
import type { Exchange, Handler } from '../exchange.ts';
import { readOnly } from './names.ts';

const { ENOSYS, EISDIR } = constants.errno;

/** What a file system without handles opens with, where the kernel insists on asking. */
const NO_HANDLE = { handle: 0, flags: 0 };

/** ENOSYS makes the kernel open files by itself from then on, keeping their content cached. */
export const open: Handler = (exchange) => {
  const { request, fileSystem, caller } = exchange;
  if (fileSystem.open === undefined) {
    if (exchange.features.has('NO_OPEN_SUPPORT')) return exchange.refuse(ENOSYS);
    return exchange.answer(NO_HANDLE, encodeOpen);
  }
  const nodeId = request.nodeId as NodeId;
  exchange.answer(fileSystem.open(caller, nodeId, request.u32()), encodeOpen, ({ handle }) =>
    releaseUnopened(exchange, nodeId, handle),
  );
};

/** The kernel did not learn of the handle, so it will never release it. */
function releaseUnopened(exchange: Exchange, nodeId: NodeId, handle: number): void {
  const failed = (error: unknown): void => {
    const reason = error instanceof Error ? error.name : typeof error;
    exchange.log.error({ connection: exchange.name, node: nodeId, reason }, 'a file handle was not released');
  };
  try {
    Promise.resolve(exchange.fileSystem.release?.(nodeId, handle, false)).catch(failed);
  } catch (error) {
    failed(error);
  }
}

/** The kernel ignores how a release ends; failures are logged where every failure is. */
export const release: Handler = (exchange) => {
  const { request, fileSystem, caller } = exchange;
  exchange.answerDone(fileSystem.release?.(request.nodeId as NodeId, request.u64(), caller.resent));
};

export const read: Handler = (exchange) => {
  const { request, fileSystem, caller } = exchange;
  if (fileSystem.read === undefined) return exchange.refuse(EISDIR);
  const handle = request.u64();
  const offset = request.u64();
  const sizeBytes = request.u32();
  const result = fileSystem.read(caller, request.nodeId as NodeId, handle, offset, sizeBytes);
  exchange.answer(result, (reply, data) => {
    assert(data.length <= sizeBytes, 'file system returned more than was asked for');
    encodeData(reply, data);
  });
};

function encodeData(reply: ReplyWriter, data: Uint8Array): void {
  reply.data = data;
}

export const write: Handler = (exchange) => {
  const { request, fileSystem, caller } = exchange;
  const nodeId = request.nodeId as NodeId;
  const handle = request.u64();
  const offset = request.u64();
  const sizeBytes = request.u32();
  const flags = request.u32();
  if (fileSystem.write === undefined) {
    // A shared writable mapping has changed the page cache already: drop it, or everybody would go on reading it.
    if ((flags & WRITE_CACHE) !== 0) exchange.kernelCache.invalidateNode(nodeId);
    return readOnly(exchange);
  }
  // Lock owner, open flags, padding.
  request.skip(8 + 4 + 4);
  exchange.answer(fileSystem.write(caller, nodeId, handle, offset, request.bytes(sizeBytes)), encodeSize);
};

/** Space is reserved nowhere: EROFS where nothing can be written, ENOSYS (the caller sees EOPNOTSUPP) where writing is. */
export const allocate: Handler = (exchange) => {
  if (exchange.fileSystem.write === undefined) return readOnly(exchange);
  exchange.refuse(ENOSYS);
};
