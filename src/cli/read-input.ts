/** Reads what a command is given as FILE or `-` (standard input), never more than it may take. */
import { createReadStream } from 'node:fs';
import { formatBytes } from '../base/units.ts';
import { DunnageError, fromSystemError } from '../errors/dunnage-error.ts';

/**
 * The text of a file, or of standard input for `-`.
 *
 * @throws NOT_FOUND, PERMISSION_DENIED, IS_A_DIRECTORY of the file; TOO_LARGE; INVALID_ARGUMENT if it is not UTF-8.
 */
export async function readText(file: string, bytesMax: number): Promise<string> {
  const name = file === '-' ? 'standard input' : file;
  const source = file === '-' ? process.stdin : createReadStream(file);
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of source) {
      sizeBytes += (chunk as Buffer).byteLength;
      if (sizeBytes > bytesMax) throw new DunnageError('TOO_LARGE', `${name} is larger than ${formatBytes(bytesMax)}`);
      chunks.push(chunk as Buffer);
    }
  } catch (error) {
    throw fromSystemError(error, `cannot read ${name}`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new DunnageError('INVALID_ARGUMENT', `${name} is not UTF-8 text`);
  }
}
