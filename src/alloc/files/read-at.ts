/** pread(2) through the libuv pool. */
import { read as readCallback } from 'node:fs';
import { promisify } from 'node:util';

const read = promisify(readCallback);

/** As many bytes as there are, `bytesMax` at most. The buffer is the caller's own. */
export async function readAt(descriptor: number, offset: number, bytesMax: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(bytesMax);
  let filled = 0;
  while (filled < bytesMax) {
    const { bytesRead } = await read(descriptor, buffer, filled, bytesMax - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}
