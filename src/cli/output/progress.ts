/** How far a transfer is, on standard error while a person looks. */
import type { Writable } from 'node:stream';
import { systemClock } from '../../base/clock.ts';
import { formatBytes } from '../../base/units.ts';

const REDRAW_MS = 200;
const CLEAR_LINE = '\r\u001b[K';

export interface CountedChunks {
  readonly chunks: AsyncIterable<Uint8Array>;
  sizeBytes(): number;
}

/** The same chunks, counted. `what` and the bytes so far are shown if `stream` is a terminal, and wiped at the end. */
export function withProgress(
  source: AsyncIterable<Uint8Array>,
  what: string,
  stream: Writable & { readonly isTTY?: boolean },
): CountedChunks {
  let sizeBytes = 0;
  let drawnMs = -REDRAW_MS;
  const draw = (): void => {
    const nowMs = systemClock.monotonicMs();
    if (stream.isTTY !== true || nowMs - drawnMs < REDRAW_MS) return;
    drawnMs = nowMs;
    stream.write(`${CLEAR_LINE}${what} ${formatBytes(sizeBytes)}`);
  };
  async function* counted(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of source) {
        sizeBytes += chunk.byteLength;
        draw();
        yield chunk;
      }
    } finally {
      if (stream.isTTY === true) stream.write(CLEAR_LINE);
    }
  }
  return { chunks: counted(), sizeBytes: () => sizeBytes };
}
