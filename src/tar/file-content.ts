/** The content of an open file for an archive: where it has data, and the data, read in large pieces. */
import { readSync } from 'node:fs';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { NativeBinding } from '../native/binding.ts';
import type { DataRegion } from './entry.ts';
import { PIECE_BYTES, type TakePiece } from './piece-memory.ts';

/** Blocks that are counted are of this size, whatever those of the file system are. */
const COUNTED_BLOCK_BYTES = 512;

/** Where an open file of that size has data, in ascending order. */
export function* dataIn(
  native: Pick<NativeBinding, 'seekData' | 'seekHole'>,
  descriptor: number,
  sizeBytes: number,
): Generator<DataRegion, void, void> {
  for (let at = 0; at < sizeBytes; ) {
    const start = native.seekData(descriptor, at);
    if (start < 0 || start >= sizeBytes) return;
    const hole = native.seekHole(descriptor, start);
    const end = hole < 0 ? sizeBytes : Math.min(hole, sizeBytes);
    yield { offset: start, sizeBytes: end - start };
    at = end;
  }
}

/**
 * Where a file has data, if it takes less space than it is long; undefined if it has no holes. `sizeBytes` and `blocks` as its status says.
 */
export function dataRegions(
  native: NativeBinding,
  descriptor: number,
  sizeBytes: number,
  blocks: number,
): readonly DataRegion[] | undefined {
  if (sizeBytes === 0 || blocks * COUNTED_BLOCK_BYTES >= sizeBytes) return undefined;
  const regions = [...dataIn(native, descriptor, sizeBytes)];
  // File systems that know no holes (or compress) take all for data.
  const [first] = regions;
  if (regions.length === 1 && first?.offset === 0 && first.sizeBytes === sizeBytes) return undefined;
  return regions;
}

/**
 * The bytes of the regions, one after the other. Every piece has memory of its own, large ones that of `takePiece`.
 * @throws DunnageError STALE if the file has become shorter.
 */
export function* readRegions(
  descriptor: number,
  regions: readonly DataRegion[],
  takePiece: TakePiece,
): Generator<Uint8Array, void, void> {
  for (const { offset, sizeBytes } of regions) {
    let done = 0;
    while (done < sizeBytes) {
      const left = sizeBytes - done;
      const piece = left > PIECE_BYTES / 2 ? takePiece() : Buffer.allocUnsafeSlow(left);
      const length = readSync(descriptor, piece, 0, Math.min(piece.length, left), offset + done);
      if (length === 0) throw new DunnageError('STALE', 'the file became shorter while it was read');
      done += length;
      yield length === piece.length ? piece : piece.subarray(0, length);
    }
  }
}
