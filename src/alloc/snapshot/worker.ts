/** The thread that makes or unpacks archives, one after the other; its system calls are synchronous and would hold up everything else. */
import { once } from 'node:events';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import { loadNative } from '../../native/load.ts';
import { takeNewPiece } from '../../tar/piece-memory.ts';
import { AllocReceiver, type ReceiverOptions } from './alloc-receiver.ts';
import { archiveAlloc } from './archive-alloc.ts';
import {
  type FromThread,
  PIECES_AHEAD,
  SHARED,
  type SnapshotJob,
  type SnapshotThreadData,
  type ToThread,
  type UnpackSummary,
} from './messages.ts';
import { mendStaging, restoreWork } from './restore-work.ts';

const { shared } = workerData as SnapshotThreadData;
const port = parentPort as NonNullable<typeof parentPort>;
const native = loadNative();

/** Of the archive that is unpacked; undefined is its end. */
let pieces: (Uint8Array | undefined)[] = [];
/** Of the archive that is made. */
let sent = 0;
/** Memory that came back. */
let spare: ArrayBuffer[] = [];

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
  port.postMessage({ kind: 'piece', bytes } satisfies FromThread, [bytes.buffer as ArrayBuffer]);
}

function takePiece(): Buffer {
  // No event is delivered while an archive is made.
  for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) hear(next.message);
  const memory = spare.pop();
  return memory === undefined ? takeNewPiece() : Buffer.from(memory);
}

/** Unpacks what arrives until it ends. */
async function unpack(directory: number, options: ReceiverOptions): Promise<UnpackSummary> {
  const receiver = new AllocReceiver(native, directory, options);
  try {
    for (;;) {
      if (pieces.length === 0) await once(port, 'message');
      checkStop();
      const piece = pieces.shift();
      if (piece === undefined) break;
      receiver.receive(piece);
      port.postMessage({ kind: 'taken' } satisfies FromThread);
    }
    return { ...receiver.finish() };
  } finally {
    receiver.close();
  }
}

async function work(job: SnapshotJob): Promise<FromThread> {
  switch (job.kind) {
    case 'snapshot':
      return { kind: 'snapshot', report: await archiveAlloc(native, job, emit, takePiece, checkStop) };
    case 'unpack':
      return { kind: 'unpacked', summary: await unpack(job.directory, job) };
    case 'mend':
      return { kind: 'unpacked', summary: { entries: 0, bytes: 0, lostXattrs: 0, ...mendStaging(native, job) } };
    case 'restore':
      mendStaging(native, job);
      return { kind: 'unpacked', summary: await restoreWork(native, job, (tree) => unpack(tree, job), checkStop) };
  }
}

async function run(job: SnapshotJob): Promise<void> {
  // What came for the job before, and too late.
  pieces = [];
  spare = [];
  sent = 0;
  let end: FromThread;
  try {
    end = await work(job);
  } catch (error) {
    const { code, message, remedy } = fromSystemError(error, 'cannot work on the archive');
    end = { kind: 'failed', code, message, remedy };
  }
  spare = [];
  port.postMessage(end);
}

function hear(message: ToThread): void {
  if (message.kind === 'piece') pieces.push(message.bytes);
  else if (message.kind === 'memory') spare.push(message.memory);
  else void run(message.job);
}

port.on('message', hear);
