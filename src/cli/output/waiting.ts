/** That something is under way and for how long, on standard error while a person looks. */
import type { Writable } from 'node:stream';
import { systemClock } from '../../base/clock.ts';
import { formatDuration } from '../../base/units.ts';

export interface WaitingRhythm {
  /** What is done sooner needs no words. */
  readonly quietMs: number;
  readonly redrawMs: number;
}

const RHYTHM: WaitingRhythm = { quietMs: 1_000, redrawMs: 500 };
const CLEAR_LINE = '\r\u001b[K';

/** Does the work. `what` and the time so far are shown if `stream` is a terminal and it takes longer than a moment, and wiped at the end. */
export async function whileWaiting<T>(
  what: string,
  stream: Writable & { readonly isTTY?: boolean },
  work: () => Promise<T>,
  { quietMs, redrawMs }: WaitingRhythm = RHYTHM,
): Promise<T> {
  if (stream.isTTY !== true) return await work();
  const beganMs = systemClock.monotonicMs();
  let isDrawn = false;
  const timer = setInterval(() => {
    const takenMs = systemClock.monotonicMs() - beganMs;
    if (takenMs < quietMs) return;
    isDrawn = true;
    stream.write(`${CLEAR_LINE}${what} ... ${formatDuration(takenMs)}`);
  }, redrawMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    if (isDrawn) stream.write(CLEAR_LINE);
  }
}
