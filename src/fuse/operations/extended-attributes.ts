/** Extended attributes are read only. A caller first asks for the size (with room for 0 bytes), then for the value. */
import { constants } from 'node:os';
import type { NodeId } from '../../base/ids.ts';
import { encodeSize, type ReplyWriter } from '../encode.ts';
import type { Handler } from '../exchange.ts';
import { WireError } from '../wire-error.ts';

const { ENODATA, ENOSYS, ERANGE } = constants.errno;

/** ENOSYS makes the kernel stop asking, also for `security.capability` before each write. A name that is not there is no failure to log. */
export const getExtendedAttribute: Handler = (exchange) => {
  const { request, fileSystem, caller } = exchange;
  if (fileSystem.getExtendedAttribute === undefined) return exchange.refuse(ENOSYS);
  const roomBytes = request.u32();
  request.skip(4);
  const result = fileSystem.getExtendedAttribute(caller, request.nodeId as NodeId, request.name());
  if (result === undefined) return exchange.refuse(ENODATA);
  exchange.answer(result, (reply, value) => {
    if (value === undefined) throw new WireError(ENODATA, 'no such attribute');
    encodeValue(reply, value, roomBytes);
  });
};

export const listExtendedAttributes: Handler = (exchange) => {
  const { request, fileSystem, caller } = exchange;
  if (fileSystem.listExtendedAttributes === undefined) return exchange.refuse(ENOSYS);
  const roomBytes = request.u32();
  const result = fileSystem.listExtendedAttributes(caller, request.nodeId as NodeId);
  exchange.answer(result, (reply, names) => {
    encodeValue(reply, Buffer.from(names.map((name) => `${name}\0`).join('')), roomBytes);
  });
};

function encodeValue(reply: ReplyWriter, value: Uint8Array, roomBytes: number): void {
  if (roomBytes === 0) encodeSize(reply, value.length);
  else if (value.length > roomBytes) throw new WireError(ERANGE, 'the value does not fit');
  else reply.data = value;
}
