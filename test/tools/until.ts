/** Waits for what nobody tells: looks again and again. */
import { setTimeout as pause } from 'node:timers/promises';

const WAIT_MS_MAX = 30_000;
const LOOK_EVERY_MS = 10;

/** Resolves to the first answer that is not undefined. */
export async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + WAIT_MS_MAX;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await pause(LOOK_EVERY_MS);
  }
}
