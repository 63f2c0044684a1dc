/** Waits for what nobody tells: looks again and again. */
import { setTimeout as pause } from 'node:timers/promises';

const WAIT_SECONDS_MAX = 30;
const LOOK_EVERY_MS = 10;

type Maybe<T> = T | false | undefined;

/** Resolves to the first answer that is neither false nor undefined. */
export async function until<T>(
  what: string,
  look: () => Maybe<T> | Promise<Maybe<T>>,
  secondsMax: number = WAIT_SECONDS_MAX,
): Promise<T> {
  const deadlineMs = performance.now() + secondsMax * 1000;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadlineMs) throw new Error(`waited ${secondsMax} s in vain for: ${what}`);
    await pause(LOOK_EVERY_MS);
  }
}
