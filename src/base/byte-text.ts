/**
 * Text whose characters are bytes (0 to 255). File names, link texts and names of extended attributes are bytes that need not
 * be UTF-8; as a string with one character per byte they can be compared, sorted, split and used as keys without loss.
 * What people read or write is converted at the edges.
 */
import type { Branded } from './ids.ts';

export type ByteText = Branded<string, 'ByteText'>;

const decoder = new TextDecoder('utf-8', { fatal: true });
// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
const ASCII_ONLY = /^[\x00-\x7f]*$/;

/** The bytes of a text in UTF-8. */
export function byteText(text: string): ByteText {
  return (ASCII_ONLY.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1')) as ByteText;
}

export function byteTextOf(bytes: Uint8Array): ByteText {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1') as ByteText;
}

export function bytesOf(text: ByteText): Buffer {
  return Buffer.from(text, 'latin1');
}

/** For people: bytes that are no UTF-8 become U+FFFD. */
export function readableText(text: ByteText): string {
  return isAscii(text) ? text : bytesOf(text).toString('utf8');
}

export function isAscii(text: ByteText): boolean {
  return ASCII_ONLY.test(text);
}

export function isUtf8(text: ByteText): boolean {
  if (isAscii(text)) return true;
  try {
    decoder.decode(bytesOf(text));
    return true;
  } catch {
    return false;
  }
}
