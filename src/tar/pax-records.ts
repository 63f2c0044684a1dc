/**
 * The records of a PAX extended header: `LENGTH key=value\n`, where LENGTH counts the whole record in decimal digits, its own
 * included. Values are bytes.
 */
import { type ByteText, byteTextOf } from '../base/byte-text.ts';

export type PaxRecord = readonly [key: ByteText, value: ByteText];

const SPACE = 0x20;
const NEWLINE = 0x0a;
/** Longer ones cannot be in a header that is taken at all. */
const LENGTH_DIGITS_MAX = 10;

/** The records in their order, or the reason why it is no list of records. */
export function readPaxRecords(bytes: Uint8Array): PaxRecord[] | string {
  const records: PaxRecord[] = [];
  let at = 0;
  while (at < bytes.length) {
    const length = readLength(bytes, at);
    if (length === undefined) return 'a record has no length';
    const body = at + length.digits + 1;
    const end = at + length.value;
    if (end > bytes.length || end - 1 < body || bytes[end - 1] !== NEWLINE)
      return 'a record does not end where it says';
    const text = byteTextOf(bytes.subarray(body, end - 1));
    const equals = text.indexOf('=');
    if (equals < 1) return 'a record has no key';
    records.push([text.slice(0, equals) as ByteText, text.slice(equals + 1) as ByteText]);
    at = end;
  }
  return records;
}

function readLength(bytes: Uint8Array, start: number): { value: number; digits: number } | undefined {
  let value = 0;
  let at = start;
  while (at < bytes.length && bytes[at] !== SPACE) {
    const digit = (bytes[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9 || at - start >= LENGTH_DIGITS_MAX) return undefined;
    value = value * 10 + digit;
    at += 1;
  }
  return at === start || at === bytes.length ? undefined : { value, digits: at - start };
}

export function writePaxRecord(key: string, value: string): string {
  const rest = key.length + value.length + 3;
  let length = rest + String(rest).length;
  // One digit more may make it longer by one again.
  if (String(length).length !== String(rest).length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}
