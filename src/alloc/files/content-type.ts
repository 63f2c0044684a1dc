/**
 * The media type of a file by its first 512 bytes, by the rules of the MIME Sniffing Standard in the order the reference has
 * them. Of names only `.json` counts: content tells nothing of it.
 */

/** As many bytes are looked at. */
export const SNIFFED_BYTES = 512;
export const UNKNOWN_TYPE = 'application/octet-stream';

const PLAIN = 'text/plain; charset=utf-8';
const HTML = 'text/html; charset=utf-8';

/** A pattern in latin1 with `?` for any byte, at an offset. */
interface Signature {
  readonly pattern: string;
  readonly type: string;
  readonly offset?: number;
}

const TAGS = ['!DOCTYPE HTML', 'HTML', 'HEAD', 'SCRIPT', 'IFRAME', 'H1', 'DIV', 'FONT', 'TABLE', 'A', 'STYLE', 'TITLE'];
const MORE_TAGS = ['B', 'BODY', 'BR', 'P', '!--'];

const SIGNATURES: readonly Signature[] = [
  { pattern: '%PDF-', type: 'application/pdf' },
  { pattern: '%!PS-Adobe-', type: 'application/postscript' },
  { pattern: '\xfe\xff??', type: 'text/plain; charset=utf-16be' },
  { pattern: '\xff\xfe??', type: 'text/plain; charset=utf-16le' },
  { pattern: '\xef\xbb\xbf?', type: PLAIN },
  { pattern: '\x00\x00\x01\x00', type: 'image/x-icon' },
  { pattern: '\x00\x00\x02\x00', type: 'image/x-icon' },
  { pattern: 'BM', type: 'image/bmp' },
  { pattern: 'GIF87a', type: 'image/gif' },
  { pattern: 'GIF89a', type: 'image/gif' },
  { pattern: 'RIFF????WEBPVP', type: 'image/webp' },
  { pattern: '\x89PNG\r\n\x1a\n', type: 'image/png' },
  { pattern: '\xff\xd8\xff', type: 'image/jpeg' },
  { pattern: 'FORM????AIFF', type: 'audio/aiff' },
  { pattern: 'ID3', type: 'audio/mpeg' },
  { pattern: 'OggS\x00', type: 'application/ogg' },
  { pattern: 'MThd\x00\x00\x00\x06', type: 'audio/midi' },
  { pattern: 'RIFF????AVI ', type: 'video/avi' },
  { pattern: 'RIFF????WAVE', type: 'audio/wave' },
  { pattern: 'ftyp', offset: 4, type: 'video/mp4' },
  { pattern: '\x1a\x45\xdf\xa3', type: 'video/webm' },
  { pattern: '\x00\x01\x00\x00', type: 'font/ttf' },
  { pattern: 'OTTO', type: 'font/otf' },
  { pattern: 'ttcf', type: 'font/collection' },
  { pattern: 'wOFF', type: 'font/woff' },
  { pattern: 'wOF2', type: 'font/woff2' },
  { pattern: '\x1f\x8b\x08', type: 'application/x-gzip' },
  { pattern: 'PK\x03\x04', type: 'application/zip' },
  { pattern: 'Rar!\x1a\x07\x00', type: 'application/x-rar-compressed' },
  { pattern: 'Rar!\x1a\x07\x01\x00', type: 'application/x-rar-compressed' },
  { pattern: '\x00asm', type: 'application/wasm' },
];

/** `head`: the first bytes of the file, `SNIFFED_BYTES` of them if it has so many. */
export function contentTypeOf(name: string, head: Uint8Array): string {
  if (name.toLowerCase().endsWith('.json')) return 'application/json';
  const text = Buffer.from(head.buffer, head.byteOffset, Math.min(head.byteLength, SNIFFED_BYTES)).toString('latin1');
  return markup(text) ?? SIGNATURES.find((signature) => matches(text, signature))?.type ?? byBytes(text);
}

/** White space before a tag does not count. */
function markup(text: string): string | undefined {
  const start = text.replace(/^[\t\n\f\r ]+/, '');
  if (start.startsWith('<?xml')) return 'text/xml; charset=utf-8';
  if (!start.startsWith('<')) return undefined;
  const word = start.slice(1).toUpperCase();
  const isTag = [...TAGS, ...MORE_TAGS].some(
    (tag) => word.startsWith(tag) && (tag === '!--' || /^[ >]/.test(word.slice(tag.length))),
  );
  return isTag ? HTML : undefined;
}

function matches(text: string, { pattern, offset = 0 }: Signature): boolean {
  if (text.length < offset + pattern.length) return false;
  return [...pattern].every((character, index) => character === '?' || character === text.charAt(offset + index));
}

/** Text has none of the bytes that no text has. */
function byBytes(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  return /[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]/.test(text) ? UNKNOWN_TYPE : PLAIN;
}
