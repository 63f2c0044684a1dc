/** What the kernel tells rather than asks: references dropped, requests interrupted, the end. */
import type { NodeId } from '../../base/ids.ts';
import type { Handler } from '../exchange.ts';
import { HIGH, LOW } from '../words.ts';

export const forget: Handler = (exchange) => {
  const { request, fileSystem } = exchange;
  fileSystem.forget(request.nodeId as NodeId, request.u64());
};

export const batchForget: Handler = (exchange) => {
  const { request, fileSystem } = exchange;
  const count = request.u32();
  request.skip(4);
  for (let index = 0; index < count; index += 1) {
    const nodeId = request.u64();
    fileSystem.forget(nodeId as NodeId, request.u64());
  }
};

/** A request that is answered already is not found, and that is fine. */
export const interrupt: Handler = (exchange) => {
  const { request, inFlight } = exchange;
  const words = [request.u32(), request.u32()] as const;
  inFlight.interrupt(words[LOW], words[HIGH]);
};

export const destroy: Handler = (exchange) => {
  exchange.log.debug({ connection: exchange.name }, 'the kernel ends the connection');
  exchange.done();
};

/** Every change is durable when it is answered, so there is nothing to sync. */
export const sync: Handler = (exchange) => exchange.done();

/** An answer to NOTIFY_RETRIEVE, which is never sent. */
export const ignore: Handler = () => undefined;
