/** Blocks whose content tells which they are, and cannot be compressed or guessed by anything on the way. */
import { createHash } from 'node:crypto';

export const BLOCK_BYTES: number = 256 * 1024;

export function blockOf(seed: number, block: number): Buffer {
  const content = Buffer.alloc(BLOCK_BYTES);
  const digest = createHash('sha256').update(`${seed}/${block}`).digest();
  for (let offset = 0; offset < BLOCK_BYTES; offset += digest.length) {
    digest.copy(content, offset);
    content.writeUInt32LE(offset, offset);
  }
  return content;
}
