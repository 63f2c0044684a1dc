/**
 * Signals the process of a pid file. A pid file outlives its process, and numbers are given out again, so the process is
 * held by a descriptor and must have been started before the file was written: one that is younger is somebody else.
 */
import { constants as fsConstants } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import { loadNative } from '../../native/load.ts';
import type { PidFileReaction, ReactionOutcome } from './reaction.ts';

const PID_FILE_BYTES_MAX = 64;
/** Times come from two clocks of the kernel with different steps. */
const START_SLACK_MS = 2_000;
/** Linux shows times of processes in this many ticks a second on every architecture (USER_HZ). */
const TICKS_PER_SECOND = 100;
/** Where the start time is after the name in brackets: fields 3 to 22 of /proc/<pid>/stat. */
const START_FIELD = 19;

interface PidFile {
  readonly processId: number;
  readonly writtenAtMs: number;
}

/** @throws DunnageError NOT_FOUND, STALE, INVALID_ARGUMENT, PERMISSION_DENIED, BUSY */
export async function signalPidFile({ pidFile, signal }: PidFileReaction): Promise<ReactionOutcome> {
  const { processId, writtenAtMs } = await readPidFile(pidFile);
  const isSignalled = await withProcess(processId, async (send) => {
    const startedAtMs = await startedAt(processId);
    // If it is still there now, the number meant this process while its start was read.
    if (startedAtMs === undefined || !send(0)) return false;
    if (startedAtMs > writtenAtMs + START_SLACK_MS) {
      throw new DunnageError('STALE', `${pidFile} names process ${processId}, which is younger than the file`, {
        remedy: 'the process that wrote it is gone: start it again, or remove the file',
      });
    }
    return send(signalNumber(signal));
  });
  if (!isSignalled) throw new DunnageError('NOT_FOUND', `${pidFile} names process ${processId}, which is gone`);
  return { succeeded: true, detail: `${signal} to process ${processId}` };
}

export function signalNumber(name: string): number {
  const number = (constants.signals as Readonly<Record<string, number>>)[name];
  if (number === undefined) throw new DunnageError('INVALID_ARGUMENT', `there is no signal ${name}`);
  return number;
}

/** Hands out a function that signals the process, and tells false once it is gone. False if there is none at all. */
export async function withProcess(
  processId: number,
  task: (send: (signal: number) => boolean) => Promise<boolean>,
): Promise<boolean> {
  const native = loadNative();
  let descriptor: number;
  try {
    descriptor = native.openProcess(processId);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw fromSystemError(error, `cannot signal process ${processId}`);
  }
  try {
    return await task((signal) => native.signalProcess(descriptor, signal));
  } catch (error) {
    throw fromSystemError(error, `cannot signal process ${processId}`);
  } finally {
    native.closeDescriptor(descriptor);
  }
}

async function readPidFile(path: string): Promise<PidFile> {
  try {
    // A FIFO in its place must not hold the daemon up.
    const handle = await open(path, fsConstants.O_RDONLY | fsConstants.O_NONBLOCK);
    try {
      const status = await handle.stat();
      const buffer = Buffer.alloc(PID_FILE_BYTES_MAX + 1);
      const { bytesRead } = status.isFile() ? await handle.read(buffer, 0, buffer.length, 0) : { bytesRead: 0 };
      const processId = Number(/^\s*(\d{1,10})\s*$/.exec(buffer.toString('latin1', 0, bytesRead))?.[1] ?? 0);
      if (processId <= 1 || processId > 0x7fffffff || processId === process.pid) throw unusable(path);
      return { processId, writtenAtMs: status.mtimeMs };
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw fromSystemError(error, `cannot read the pid file ${path}`);
  }
}

function unusable(path: string): DunnageError {
  return new DunnageError('INVALID_ARGUMENT', `${path} is no pid file: it must hold the number of one process`, {
    remedy: 'name a regular file that a running program wrote its process id to; neither 1 nor the daemon itself',
  });
}

/** Wall clock, milliseconds; undefined if the process is gone. */
async function startedAt(processId: number): Promise<number | undefined> {
  try {
    const text = await readFile(`/proc/${processId}/stat`, 'latin1');
    // The name in brackets may hold anything, brackets too.
    const ticks = Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[START_FIELD]);
    const boot = /^btime (\d+)$/m.exec(await readFile('/proc/stat', 'latin1'))?.[1];
    if (!Number.isSafeInteger(ticks) || boot === undefined) throw new DunnageError('IO', '/proc cannot be read');
    return Number(boot) * 1000 + (ticks * 1000) / TICKS_PER_SECOND;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw fromSystemError(error, `cannot look at process ${processId}`);
  }
}
