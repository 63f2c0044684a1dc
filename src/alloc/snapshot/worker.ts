/** The thread that makes or unpacks one archive; its system calls are synchronous and would hold up everything else. */
import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import { loadNative } from '../../native/load.ts';
import { AllocReceiver, type ReceiverOptions } from './alloc-receiver.ts';
import { archiveAlloc } from './archive-alloc.ts';
import {
  type FromThread,
  PIECES_AHEAD,
  SHARED,
  type SnapshotThreadData,
  type ToThread,
  type UnpackSummary,
} from './messages.ts';
import { mendStaging, restoreWork } from './restore-work.ts';

const { job, shared } = workerData as SnapshotThreadData;
const port = parentPort;
if (port === null) throw new Error('worker.ts is a thread of who makes snapshots');

const native = loadNative();
/** Undefined is the end of the archive. */
const pieces: (Uint8Array | undefined)[] = [];
let sent = 0;

function checkStop(): void {
  if (Atomics.load(shared, SHARED.stop) !== 0) throw new DunnageError('INTERRUPTED', 'stopped on request');
}

/** Waits until the receiver has taken enough. Blocking: nothing else is done here. */
function emit(bytes: Uint8Array): void {
  for (;;) {
    checkStop();
    const taken = Atomics.load(shared, SHARED.taken);
    if (sent - taken < PIECES_AHEAD) break;
    Atomics.wait(shared, SHARED.taken, taken);
  }
  sent += 1;
  port?.postMessage({ kind: 'piece', bytes } satisfies FromThread, [bytes.buffer as ArrayBuffer]);
}

/** Unpacks what arrives until it ends. */
async function unpack(directory: number, options: ReceiverOptions): Promise<UnpackSummary> {
  const receiver = new AllocReceiver(native, directory, options);
  try {
    for (;;) {
      if (pieces.length === 0) await once(port as NonNullable<typeof port>, 'message');
      checkStop();
      const piece = pieces.shift();
      if (piece === undefined) break;
      receiver.receive(piece);
      port?.postMessage({ kind: 'taken' } satisfies FromThread);
    }
    return { ...receiver.finish() };
  } finally {
    receiver.close();
  }
}

async function work(): Promise<FromThread> {
  switch (job.kind) {
    case 'snapshot':
      return { kind: 'snapshot', report: await archiveAlloc(native, job, emit, checkStop) };
    case 'unpack':
      return { kind: 'unpacked', summary: await unpack(job.directory, job) };
    case 'mend':
      return { kind: 'unpacked', summary: { entries: 0, bytes: 0, lostXattrs: 0, ...mendStaging(native, job) } };
    case 'restore':
      mendStaging(native, job);
      return { kind: 'unpacked', summary: await restoreWork(native, job, (tree) => unpack(tree, job), checkStop) };
  }
}

async function run(): Promise<FromThread> {
  port?.on('message', (message: ToThread) => void pieces.push(message.bytes));
  try {
    return await work();
  } catch (error) {
    const { code, message, remedy } = fromSystemError(error, 'cannot work on the archive');
    return { kind: 'failed', code, message, remedy };
  }
}

port.postMessage(await run());
port.close();
