/**
 * Writes archives. The framing (header blocks, filling, end of the archive) is tar-stream's `pack`; in front of it stands what its headers
 * cannot say: PAX records, as bytes, in an entry of type `pax-header` of our own. `pack` takes no content for that type and fills
 * nothing up behind it, so the records are brought to whole blocks by a last one, `comment`, and pushed behind its header.
 *
 * What comes out is collected into large pieces, since every piece costs the receiver a system call. Content of 64 KiB and more is
 * handed on as it is, without a copy: its memory is the receiver's then.
 */
import { once } from 'node:events';
import { type Header, type Pack, pack } from 'tar-stream';
import type { ByteText } from '../base/byte-text.ts';
import { bytesOf } from '../base/byte-text.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import { type EntryType, storedBytes, type TarEntry } from './entry.ts';
import { BLOCK_BYTES } from './header-block.ts';
import { HEADER_MAX, recordsOf, recordsText } from './pax-entry.ts';
import { type PaxRecord, writePaxRecord } from './pax-records.ts';
import { writeMap } from './sparse-map.ts';

/** What is done with finished pieces of the archive, in order. The next one is not given before a promise has resolved. */
export type Emit = (piece: Uint8Array) => Promise<void> | void;
/** The stored bytes of a file: those of its regions, if it is sparse. */
export type Content = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

const PIECE_BYTES = 262_144;
const COPIED_BYTES_MAX = 65_536;
/** tar-stream takes a mode of 0 for a missing one; this bit is not among those it writes. */
const MODE_IS_GIVEN = 0o10000;
/** It knows the type, and its declarations do not. */
const PAX_HEADER = 'pax-header' as Header['type'];
const NEVER = new Date(0);
const ZEROS = Buffer.alloc(COPIED_BYTES_MAX);

const TYPES: Readonly<Record<EntryType, Header['type']>> = {
  file: 'file',
  'hard-link': 'link',
  symlink: 'symlink',
  'character-device': 'character-device',
  'block-device': 'block-device',
  directory: 'directory',
  fifo: 'fifo',
};

export class TarWriter {
  readonly #emit: Emit;
  readonly #pack: Pack = pack();
  readonly #ready: Uint8Array[] = [];
  #piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  #used = 0;
  #failure: Error | undefined;

  constructor(emit: Emit) {
    this.#emit = emit;
    this.#pack.on('data', (bytes) => this.#collect(bytes as Uint8Array));
    this.#pack.on('error', (error: Error) => {
      this.#failure ??= error;
    });
  }

  /**
   * Adds one entry. `content` is needed for files that are not empty, and must have as many bytes as are stored of it. If its source fails, the
   * entry is filled up with zeros, so that more can be added behind it, and the error is thrown.
   * @throws DunnageError INVALID_ARGUMENT if the content is longer or shorter than the entry says; it is cut or filled up.
   */
  async add(entry: TarEntry, content: Content = []): Promise<void> {
    const map = entry.regions === undefined ? undefined : writeMap(entry.regions, entry.sizeBytes);
    const stored = storedBytes(entry);
    const sizeBytes = stored + (map?.length ?? 0);
    const records = recordsFor(entry, sizeBytes);
    const header = headerOf(entry, records, sizeBytes);
    if (map === undefined && content instanceof Uint8Array && content.length === stored && stored < COPIED_BYTES_MAX)
      await this.#addSmall(header, records, content);
    else await this.#addLarge(header, records, map, stored, content);
    await this.#flushReady();
  }

  /** Ends the archive: nothing can be added any more. Resolves when its last byte was taken. */
  async finish(): Promise<void> {
    const ended = once(this.#pack, 'end');
    this.#pack.finalize();
    await ended;
    this.#endPiece();
    await this.#flushReady();
  }

  /** Gives the archive up where it is. */
  destroy(): void {
    this.#pack.destroy(null);
  }

  #addSmall(header: Header, records: string, content: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: Error | null): void => (error ? reject(error) : resolve());
      this.#addRecords(header, records, (error) => {
        if (error) reject(error);
        else if (header.type === 'file') this.#pack.entry(header, bufferOf(content), settle);
        else this.#pack.entry(header, settle);
      });
    });
  }

  async #addLarge(
    header: Header,
    records: string,
    map: Uint8Array | undefined,
    stored: number,
    content: Content,
  ): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#addRecords(header, records, (error) => (error ? reject(error) : resolve()));
    });
    let settle: (error?: Error | null) => void = () => undefined;
    const done = new Promise<void>((resolve, reject) => {
      settle = (error) => (error ? reject(error) : resolve());
    });
    // It is awaited below; an error in between is not to end the process.
    done.catch(() => undefined);
    const sink = this.#pack.entry(header, settle);
    // It is told by `settle` too.
    sink.on('error', () => undefined);
    const write = async (bytes: Uint8Array): Promise<void> => {
      if (!sink.write(bytes)) await Promise.race([once(sink, 'drain'), done]);
      await this.#flushReady();
    };
    if (map !== undefined) await write(map);
    const fault = await copyContent(content instanceof Uint8Array ? [content] : content, stored, write);
    sink.end(null);
    await done;
    if (fault !== undefined) throw fault;
  }

  #addRecords(header: Header, records: string, then: (error?: Error | null) => void): void {
    if (records === '') {
      then();
      return;
    }
    const bytes = bytesOf(filledUp(records) as ByteText);
    const own: Header = {
      ...header,
      name: 'PaxHeaders/entry',
      type: PAX_HEADER,
      size: bytes.length,
      linkname: '',
    };
    this.#pack.entry(own, (error) => {
      if (!error) this.#pack.push(bytes);
      then(error);
    });
  }

  #collect(bytes: Uint8Array): void {
    if (bytes.length >= COPIED_BYTES_MAX) {
      this.#endPiece();
      this.#ready.push(bytes);
      return;
    }
    if (bytes.length > PIECE_BYTES - this.#used) this.#endPiece();
    this.#piece.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  #endPiece(): void {
    if (this.#used === 0) return;
    this.#ready.push(this.#piece.subarray(0, this.#used));
    this.#piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
    this.#used = 0;
  }

  async #flushReady(): Promise<void> {
    for (let piece = this.#ready.shift(); piece !== undefined; piece = this.#ready.shift()) await this.#emit(piece);
    if (this.#failure !== undefined) throw this.#failure;
  }
}

function recordsFor(entry: TarEntry, sizeBytes: number): string {
  const records: PaxRecord[] = recordsOf(entry);
  const add = (key: string, value: string): void => void records.push([key as ByteText, value as ByteText]);
  if (sizeBytes > HEADER_MAX.sizeBytes) add('size', String(sizeBytes));
  if (entry.regions !== undefined) {
    add('GNU.sparse.major', '1');
    add('GNU.sparse.minor', '0');
    add('GNU.sparse.name', entry.name);
    add('GNU.sparse.realsize', String(entry.sizeBytes));
  }
  return recordsText(records);
}

/** What tar-stream can write without making records by itself: the truth, or what comes next to it where a record says the truth. */
function headerOf(entry: TarEntry, records: string, sizeBytes: number): Header {
  const name = entry.type === 'directory' ? `${entry.name}/` : entry.name;
  const { seconds } = entry.modifyTime;
  return {
    name: entry.regions === undefined ? plainName(name) : 'GNUSparseFile.0/file',
    type: TYPES[entry.type],
    linkname: plainName(entry.linkName),
    mode: entry.mode | MODE_IS_GIVEN,
    uid: Math.min(entry.userId, HEADER_MAX.id),
    gid: Math.min(entry.groupId, HEADER_MAX.id),
    size: sizeBytes,
    mtime:
      records === '' && seconds === 0 ? NEVER : new Date(Math.min(Math.max(seconds, 0), HEADER_MAX.seconds) * 1000),
    uname: plainOwner(entry.userName),
    gname: plainOwner(entry.groupName),
    devmajor: Math.min(entry.deviceMajor, HEADER_MAX.device),
    devminor: Math.min(entry.deviceMinor, HEADER_MAX.device),
  };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
const NOT_ASCII = /[^\x01-\x7f]/g;

function plainName(name: string): string {
  const plain = name.replace(NOT_ASCII, '_');
  return plain.length > HEADER_MAX.nameBytes ? plain.slice(0, HEADER_MAX.nameBytes).replace(/\/+$/, '') : plain;
}

function plainOwner(name: string): string {
  return name.replace(NOT_ASCII, '_').slice(0, HEADER_MAX.ownerNameBytes);
}

/** Whole blocks: with a comment as the last record, since that is what nobody looks at. */
function filledUp(records: string): string {
  const over = records.length % BLOCK_BYTES;
  if (over === 0) return records;
  let left = BLOCK_BYTES - over;
  const shortest = writePaxRecord('comment', '').length;
  if (left < shortest) left += BLOCK_BYTES;
  // Where the length gets one more digit, one length in between cannot be had.
  for (let size = left - shortest; size >= 0; size -= 1) {
    const record = writePaxRecord('comment', ' '.repeat(size));
    if (record.length === left) return records + record;
    if (record.length < left) break;
  }
  return filledUp(records + writePaxRecord('comment', ''));
}

/** Writes exactly so many bytes, whatever the source does; returns what was wrong with it. */
async function copyContent(
  content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  stored: number,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<unknown> {
  let left = stored;
  let fault: unknown;
  try {
    for await (const piece of content) {
      if (piece.length > left) {
        fault = new DunnageError(
          'INVALID_ARGUMENT',
          'the content of an entry of an archive is longer than the entry says',
        );
        if (left > 0) await write(piece.subarray(0, left));
        left = 0;
        break;
      }
      // Its memory may be somebody else's when it was written.
      left -= piece.length;
      if (piece.length > 0) await write(piece);
    }
  } catch (error) {
    fault = error;
  }
  if (left > 0)
    fault ??= new DunnageError(
      'INVALID_ARGUMENT',
      'the content of an entry of an archive is shorter than the entry says',
    );
  for (; left > 0; left -= Math.min(left, ZEROS.length)) await write(Buffer.from(ZEROS.subarray(0, left)));
  return fault;
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
