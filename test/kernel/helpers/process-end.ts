/** The end of processes that are not our children: nobody tells us, so we look. */
import { readFile } from 'node:fs/promises';
import { until } from '../../tools/until.ts';

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
  await until(`process ${pid} to end`, () => hasEnded(pid));
}
