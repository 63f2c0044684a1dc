/** The end of processes that are not our children: nobody tells us, so we look. */
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

const WAIT_MS_MAX = 30_000;
const LOOK_EVERY_MS = 10;

/** Gone, or only waiting for its parent to take note. */
export async function hasEnded(pid: number): Promise<boolean> {
  try {
    return /\) Z /.test(await readFile(`/proc/${pid}/stat`, 'utf8'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return true;
    throw error;
  }
}

export async function untilEnded(pid: number): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX;
  while (!(await hasEnded(pid))) {
    if (performance.now() > deadline) throw new Error(`process ${pid} is still there`);
    await pause(LOOK_EVERY_MS);
  }
}
