/** Waits for the end of a process that is not a child of this one. */
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { systemClock } from '../base/clock.ts';

const LOOK_EVERY_MS = 20;

/** True when the process is gone, or only a zombie that nobody has collected; false if it is still there at the deadline. */
export async function waitForEnd(pid: number, deadlineMs: number): Promise<boolean> {
  const startedMs = systemClock.monotonicMs();
  // There is no event for the end of a process that is not a child.
  while (await isRunning(pid)) {
    if (systemClock.monotonicMs() - startedMs > deadlineMs) return false;
    await pause(LOOK_EVERY_MS);
  }
  return true;
}

async function isRunning(pid: number): Promise<boolean> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const state = stat.slice(stat.lastIndexOf(')') + 2).charAt(0);
    return state !== 'Z' && state !== 'X';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // ESRCH: it ended between open and read.
    if (code === 'ENOENT' || code === 'ESRCH') return false;
    throw error;
  }
}
