/** The content of one file, with its holes. What is in the target already is compared, and written only where it differs. */
import { ftruncateSync, readSync, writeSync } from 'node:fs';
import { loadNative } from '../../native/load.ts';
import { NODE } from '../../native/node-status.ts';
import { dataIn } from '../../tar/file-content.ts';

const PIECE_BYTES = 1024 * 1024;

/** `sizeBytes`: of the source. `onStep` is told how many bytes are done with each piece. */
export function copyContent(from: number, to: number, sizeBytes: number, onStep: (doneBytes: number) => void): void {
  const native = loadNative();
  const presentBytes = native.statNode(to, '')[NODE.sizeBytes] ?? 0;
  // Data where the source has a hole: a file of before the interruption that was changed since. It is begun anew.
  if (presentBytes > sizeBytes || hasDataInHoles(from, to, sizeBytes)) ftruncateSync(to, 0);
  const comparableBytes = native.statNode(to, '')[NODE.sizeBytes] ?? 0;
  if (comparableBytes !== sizeBytes) ftruncateSync(to, sizeBytes);
  const buffers = { source: Buffer.allocUnsafe(PIECE_BYTES), target: Buffer.allocUnsafe(PIECE_BYTES) };
  for (const { offset, sizeBytes: length } of dataIn(native, from, sizeBytes)) {
    const end = offset + length;
    for (let at = offset; at < end; at += PIECE_BYTES) {
      const pieceBytes = Math.min(PIECE_BYTES, end - at);
      copyPiece(from, to, at, pieceBytes, at < comparableBytes, buffers);
      onStep(pieceBytes);
    }
  }
}

function copyPiece(
  from: number,
  to: number,
  at: number,
  length: number,
  isComparable: boolean,
  { source, target }: { readonly source: Buffer; readonly target: Buffer },
): void {
  const read = readWhole(from, source, at, length);
  const wanted = source.subarray(0, read);
  if (isComparable) {
    const present = readWhole(to, target, at, read);
    if (present === read && wanted.equals(target.subarray(0, present))) return;
  }
  for (let done = 0; done < read; ) done += writeSync(to, wanted, done, read - done, at + done);
}

/** Less than `length` only at the end of the file. */
function readWhole(file: number, buffer: Buffer, at: number, length: number): number {
  let done = 0;
  while (done < length) {
    const read = readSync(file, buffer, done, length - done, at + done);
    if (read === 0) break;
    done += read;
  }
  return done;
}

function hasDataInHoles(from: number, to: number, sizeBytes: number): boolean {
  const native = loadNative();
  let at = 0;
  for (const region of [...dataIn(native, from, sizeBytes), { offset: sizeBytes, sizeBytes: 0 }]) {
    if (at < region.offset) {
      const data = native.seekData(to, at);
      if (data >= 0 && data < region.offset) return true;
    }
    at = region.offset + region.sizeBytes;
  }
  return false;
}
