/** How keys and values of tables become bytes. LMDB sorts keys bytewise, so every key codec keeps the order of its values. */
import assert from 'node:assert/strict';
import { type Digest, toDigest } from './digest.ts';

export interface Codec<T> {
  encode(value: T): Uint8Array;
  /** `bytes` belongs to the caller; what is returned may refer to it. */
  decode(bytes: Uint8Array): T;
}

const NUMBER_BYTES = 8;
const utf8 = new TextDecoder('utf-8', { fatal: true });

function writeNumber(target: Buffer, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, `a key must be a whole number from 0 to 2^53 - 1, not ${value}`);
  target.writeUInt32BE(Math.floor(value / 2 ** 32), 0);
  target.writeUInt32BE(value % 2 ** 32, 4);
}

function readNumber(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.getUint32(0) * 2 ** 32 + view.getUint32(4);
}

/** u64 big endian: sorts by value. */
export const numberKey: Codec<number> = {
  encode(value) {
    const bytes = Buffer.allocUnsafe(NUMBER_BYTES);
    writeNumber(bytes, value);
    return bytes;
  },
  decode(bytes) {
    assert.equal(bytes.length, NUMBER_BYTES);
    return readNumber(bytes);
  },
};

/** UTF-8: sorts by code point. Not the empty string: LMDB has no empty keys. */
export const stringKey: Codec<string> = {
  encode: (value) => Buffer.from(value, 'utf8'),
  decode: (bytes) => utf8.decode(bytes),
};

/** Sorts by number, then by string: a prefix scan over one number lists its names. */
export const numberAndStringKey: Codec<readonly [number, string]> = {
  encode([number, text]) {
    const bytes = Buffer.allocUnsafe(NUMBER_BYTES + Buffer.byteLength(text));
    writeNumber(bytes, number);
    bytes.write(text, NUMBER_BYTES, 'utf8');
    return bytes;
  },
  decode: (bytes) => [readNumber(bytes), utf8.decode(bytes.subarray(NUMBER_BYTES))],
};

export const digestKey: Codec<Digest> = {
  encode: (digest) => digest,
  decode: (bytes) => toDigest(bytes),
};

/** Bytes as they are. */
export const bytesValue: Codec<Uint8Array> = { encode: (bytes) => bytes, decode: (bytes) => bytes };

/** Any JSON value. The type is the caller's promise: what is read back is what was put. */
export function jsonValue<T>(): Codec<T> {
  return {
    encode: (value) => Buffer.from(JSON.stringify(value), 'utf8'),
    decode: (bytes) => JSON.parse(utf8.decode(bytes)) as T,
  };
}

/** What decodes to something else than it should is as unreadable as what does not decode. */
export function checkedValue<T>(codec: Codec<T>, accept: (value: T) => boolean): Codec<T> {
  return {
    encode: (value) => codec.encode(value),
    decode(bytes) {
      const value = codec.decode(bytes);
      if (!accept(value)) throw new TypeError('not a record of its table');
      return value;
    },
  };
}

/** Values kept by a `remembered` codec: those of the swaps and readers of the moment. */
const REMEMBERED_MAX = 512;

/**
 * Decodes bytes that were decoded lately no second time: the thread that serves the mount reads one record at each request of
 * a swap. The values are shared, so nobody may change them.
 */
export function remembered<T>(codec: Codec<T>): Codec<T> {
  const values = new Map<string, T>();
  return {
    encode: (value) => codec.encode(value),
    decode(bytes) {
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
      const known = values.get(text);
      if (known !== undefined) return known;
      const value = codec.decode(bytes);
      if (values.size >= REMEMBERED_MAX) values.clear();
      values.set(text, value);
      return value;
    },
  };
}
