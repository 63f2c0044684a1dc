/**
 * Brings a channel to one stage and leaves it there. Run as a worker (ended by `terminate`) or as a process (which
 * calls `process.exit`). Says `there` when the stage is reached.
 */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import type { Channel } from '../../../src/native/binding.ts';
import { loadNative } from '../../../src/native/load.ts';

const native = loadNative();
const stage = (isMainThread ? process.argv[2] : workerData) as string;
const [device, peer] = native.socketPair('seqpacket');

/** In a process the end comes by itself; a worker waits until it is ended from outside. */
function there(): void {
  if (isMainThread) process.exit(0);
  parentPort?.postMessage('there');
}

function hang(): void {
  there();
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
}

const channel: Channel = native.createChannel(device, {
  bufferSizeBytes: 1024 * 1024,
  requestsPerTurn: 4,
  onRequest: () => {
    if (stage === 'in onRequest') hang();
    if (stage === 'closing in onRequest') {
      void channel.close();
      hang();
    }
    if (stage === 'throwing in onRequest') throw new Error('thrown in onRequest');
  },
  onEnd: () => {
    if (stage === 'in onEnd') hang();
    there();
  },
});

const keepAlive = setInterval(() => undefined, 1000);

switch (stage) {
  case 'created':
    there();
    break;
  case 'started':
    channel.start();
    setImmediate(there);
    break;
  case 'started in this very turn':
    channel.start();
    there();
    break;
  case 'notified':
    channel.notify(Buffer.from('x'));
    there();
    break;
  case 'waiting for the notifier':
    for (let count = 0; count < 100; count++) channel.notify(Buffer.from('x'));
    void channel.notifierDrained();
    there();
    break;
  case 'drained':
    channel.notify(Buffer.from('x'));
    await channel.notifierDrained();
    there();
    break;
  case 'ended':
  case 'in onEnd':
    channel.start();
    native.closeDescriptor(peer);
    break;
  case 'closing':
    channel.start();
    void channel.close();
    there();
    break;
  case 'closed':
    channel.start();
    await channel.close();
    there();
    break;
  case 'watching':
    native.watchReadable(device, () => undefined);
    there();
    break;
  case 'mapped':
    new Uint8Array(native.mapShared(native.createMemfd('teardown', 4096), 4096)).fill(1);
    there();
    break;
  case 'in onRequest':
  case 'closing in onRequest':
  case 'throwing in onRequest':
    channel.start();
    native.sendMessage(peer, Buffer.from('request'), []);
    break;
  case 'left alone': {
    // Nothing is closed or ended: a process with an idle channel ends by itself.
    clearInterval(keepAlive);
    break;
  }
  default:
    throw new Error(`no such stage: ${stage}`);
}
