/** Feeds an archive that arrives in pieces of any size to the thread that unpacks it, in pieces of its own memory. */
import { fromSystemError } from '../../errors/dunnage-error.ts';
import { PIECE_BYTES } from '../../tar/piece-memory.ts';
import type { UnpackSummary } from './messages.ts';
import type { SnapshotThread } from './snapshot-thread.ts';

/** Resolves when the whole archive is unpacked. The input is closed if it is not read to its end. */
export async function giveArchive(thread: SnapshotThread, input: AsyncIterable<Uint8Array>): Promise<UnpackSummary> {
  let piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  let used = 0;
  try {
    for await (const bytes of input) {
      for (let done = 0; done < bytes.length; ) {
        const part = bytes.subarray(done, done + PIECE_BYTES - used);
        piece.set(part, used);
        used += part.length;
        done += part.length;
        if (used < PIECE_BYTES) continue;
        await thread.give(piece);
        piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
        used = 0;
      }
    }
  } catch (error) {
    throw fromSystemError(error, 'cannot read the archive');
  }
  if (used > 0) await thread.give(piece.subarray(0, used));
  await thread.give(undefined);
  return (await thread.end()) as UnpackSummary;
}
