/** The thread that copies and removes trees: one job, then it ends. */
import { closeSync, constants, openSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import { loadNative } from '../../native/load.ts';
import { READ_DIRECTORY } from '../../native/open-flags.ts';
import { systemCode } from '../../native/system-error.ts';
import { copyTree } from './copy-tree.ts';
import type { TreeEnd, TreeJob, TreePlace, TreeProgress } from './job.ts';
import { removeTree } from './remove-tree.ts';

/** Progress is told this often at most. */
const PROGRESS_BYTES = 16 * 1024 * 1024;

const { job, stop } = workerData as { readonly job: TreeJob; readonly stop: Int32Array };
const port = parentPort;
if (port === null) throw new Error('worker.ts is a thread of the daemon');

let untoldBytes = 0;

function onStep(doneBytes: number): void {
  if (Atomics.load(stop, 0) !== 0) throw new DunnageError('INTERRUPTED', 'stopped on request');
  untoldBytes += doneBytes;
  if (untoldBytes >= PROGRESS_BYTES) tell();
}

function tell(): void {
  port?.postMessage({ kind: 'progress', doneBytes: untoldBytes } satisfies TreeProgress);
  untoldBytes = 0;
}

function removeAt({ directory, name }: TreePlace): void {
  let opened: number;
  try {
    opened = openSync(directory, READ_DIRECTORY & ~constants.O_NOFOLLOW);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw error;
  }
  try {
    removeTree(opened, name, { onStep: () => onStep(0) });
  } finally {
    closeSync(opened);
  }
}

function run(): void {
  if (job.kind === 'remove') {
    for (const place of job.trees) removeAt(place);
    return;
  }
  const source = loadNative().openNode(job.source, '', READ_DIRECTORY, 0, true);
  try {
    const target = openSync(job.target, READ_DIRECTORY);
    try {
      copyTree(source, target, { onStep });
      loadNative().syncFileSystem(target);
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(source);
  }
}

function end(): TreeEnd {
  try {
    run();
    tell();
    return { kind: 'done' };
  } catch (error) {
    const { code, message, remedy } = fromSystemError(error, job.kind === 'remove' ? 'cannot remove' : 'cannot copy');
    return { kind: 'failed', code, message, ...(remedy === undefined ? {} : { remedy }) };
  }
}

port.postMessage(end());
