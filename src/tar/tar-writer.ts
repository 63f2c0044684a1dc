/**
 * Writes archives. The framing (header blocks, filling, end of the archive) is tar-stream's `pack`; in front of it stands what its headers
 * cannot say: PAX records, as bytes, in an entry of type `pax-header` of our own. `pack` takes no content for that type and fills
 * nothing up behind it, so the records are brought to whole blocks by a last one, `comment`, and pushed behind its header.
 *
 * Entries that are here whole (small files, links, directories) are written directly, block by block (block-writer.ts): for them tar-stream would
 * take longer than the file system.
 *
 * What comes out is collected into large pieces, since every piece costs the receiver a system call. Content of 64 KiB and more is
 * handed on as it is, without a copy: its memory is the receiver's then.
 */
import { once } from 'node:events';
import { type Header, type Pack, pack } from 'tar-stream';
import type { ByteText } from '../base/byte-text.ts';
import { bytesOf } from '../base/byte-text.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import { type PlainHeader, writeHeaderBlock } from './block-writer.ts';
import { type EntryType, storedBytes, type TarEntry } from './entry.ts';
import { BLOCK_BYTES } from './header-block.ts';
import { HEADER_MAX, recordsOf, recordsText } from './pax-entry.ts';
import { type PaxRecord, writePaxRecord } from './pax-records.ts';
import { PIECE_BYTES, type TakePiece, takeNewPiece } from './piece-memory.ts';
import { writeMap } from './sparse-map.ts';

/** What is done with finished pieces of the archive, in order. The next one is not given before a promise has resolved. */
export type Emit = (piece: Uint8Array) => Promise<void> | void;
/** The stored bytes of a file: those of its regions, if it is sparse. */
export type Content = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

const COPIED_BYTES_MAX = 65_536;
/** tar-stream takes a mode of 0 for a missing one; this bit is not among those it writes. */
const MODE_IS_GIVEN = 0o10000;
/** It knows the type, and its declarations do not. */
const PAX_HEADER = 'pax-header' as Header['type'];
/** Longer records go the way of large files. */
const RECORDS_BYTES_MAX = 32_768;
const NO_BYTES = new Uint8Array(0);
const NOTHING: readonly Uint8Array[] = [];
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
  readonly #takePiece: TakePiece;
  readonly #pack: Pack = pack();
  readonly #ready: Uint8Array[] = [];
  #piece: Buffer;
  #used = 0;
  /** Bytes that were given to tar-stream, and that came out of it. */
  #pushed = 0;
  #collected = 0;
  #failure: Error | undefined;

  /** `takePiece`: where what is small is collected. */
  constructor(emit: Emit, takePiece: TakePiece = takeNewPiece) {
    this.#emit = emit;
    this.#takePiece = takePiece;
    this.#piece = takePiece();
    this.#pack.on('data', (bytes) => this.#collect(bytes as Uint8Array));
    this.#pack.on('error', (error: Error) => {
      this.#failure ??= error;
    });
  }

  /**
   * Adds one entry; undefined if there is nothing to wait for. `content` is needed for files that are not empty, and must have as many bytes as are stored of it. If its source fails, the
   * entry is filled up with zeros, so that more can be added behind it, and the error is thrown.
   * @throws DunnageError INVALID_ARGUMENT if the content is longer or shorter than the entry says; it is cut or filled up.
   */
  add(entry: TarEntry, content: Content = NOTHING): Promise<void> | undefined {
    const isSmall = content instanceof Uint8Array && content.length < COPIED_BYTES_MAX;
    if (entry.regions === undefined && entry.sizeBytes === (isSmall ? content.length : 0) && this.#isIdle()) {
      const records = recordsFor(entry, entry.sizeBytes);
      if (records.length <= RECORDS_BYTES_MAX) {
        this.#addWhole(headerOf(entry, entry.sizeBytes), records, isSmall ? content : NO_BYTES);
        return this.#ready.length > 0 || this.#failure !== undefined ? this.#flushReady() : undefined;
      }
    }
    return this.#addStreamed(entry, content);
  }

  async #addStreamed(entry: TarEntry, content: Content): Promise<void> {
    const map = entry.regions === undefined ? undefined : writeMap(entry.regions, entry.sizeBytes);
    const stored = storedBytes(entry);
    const sizeBytes = stored + (map?.length ?? 0);
    const records = recordsFor(entry, sizeBytes);
    const header = headerOf(entry, sizeBytes);
    await this.#addLarge(header, records, map, stored, content);
    await this.#settled();
    await this.#flushReady();
  }

  /** Ends the archive: nothing can be added any more. Resolves when its last byte was taken. */
  async finish(): Promise<void> {
    await this.#settled();
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

  /** An entry that is here whole, with all that belongs to it, goes into the piece at once. */
  #addWhole(header: PlainHeader, records: string, content: Uint8Array): void {
    const filled = records === '' ? '' : filledUp(records);
    const headBytes = filled === '' ? BLOCK_BYTES : 2 * BLOCK_BYTES + filled.length;
    const contentBytes = Math.ceil(content.length / BLOCK_BYTES) * BLOCK_BYTES;
    if (headBytes + contentBytes > PIECE_BYTES - this.#used) this.#endPiece();
    const piece = this.#piece;
    let at = this.#used;
    if (filled !== '') {
      this.#writePaxHeader(piece, at, filled.length);
      piece.write(filled, at + BLOCK_BYTES, 'latin1');
      at += BLOCK_BYTES + filled.length;
    }
    writeHeaderBlock(piece, at, header);
    at += BLOCK_BYTES;
    piece.set(content, at);
    piece.fill(0, at + content.length, at + contentBytes);
    this.#used = at + contentBytes;
  }

  /** Most records fill one block: the header in front of them is the same each time. */
  #writePaxHeader(piece: Buffer, at: number, sizeBytes: number): void {
    if (sizeBytes !== BLOCK_BYTES) writeHeaderBlock(piece, at, paxHeaderOf(sizeBytes));
    else piece.set(ONE_BLOCK_PAX_HEADER, at);
  }

  /** Whether all that went through tar-stream has come out: what is written directly must not overtake it. */
  #isIdle(): boolean {
    return this.#pushed === this.#collected;
  }

  async #settled(): Promise<void> {
    while (!this.#isIdle() && this.#failure === undefined) await new Promise((resolve) => setImmediate(resolve));
  }

  async #addLarge(
    header: PlainHeader,
    records: string,
    map: Uint8Array | undefined,
    stored: number,
    content: Content,
  ): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#addRecords(records, (error) => (error ? reject(error) : resolve()));
    });
    let settle: (error?: Error | null) => void = () => undefined;
    const done = new Promise<void>((resolve, reject) => {
      settle = (error) => (error ? reject(error) : resolve());
    });
    // It is awaited below; an error in between is not to end the process.
    done.catch(() => undefined);
    this.#pushed += BLOCK_BYTES + Math.ceil(header.sizeBytes / BLOCK_BYTES) * BLOCK_BYTES;
    const sink = this.#pack.entry(streamedHeader(header), settle);
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

  #addRecords(records: string, then: (error?: Error | null) => void): void {
    if (records === '') {
      then();
      return;
    }
    const bytes = bytesOf(filledUp(records) as ByteText);
    this.#pushed += BLOCK_BYTES + bytes.length;
    this.#pack.entry(streamedHeader(paxHeaderOf(bytes.length)), (error) => {
      if (!error) this.#pack.push(bytes);
      then(error);
    });
  }

  #collect(bytes: Uint8Array): void {
    this.#collected += bytes.length;
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
    this.#piece = this.#takePiece();
    this.#used = 0;
  }

  async #flushReady(): Promise<void> {
    for (let piece = this.#ready.shift(); piece !== undefined; piece = this.#ready.shift()) await this.#emit(piece);
    if (this.#failure !== undefined) throw this.#failure;
  }
}

const ONE_BLOCK_PAX_HEADER = Buffer.alloc(BLOCK_BYTES);
writeHeaderBlock(ONE_BLOCK_PAX_HEADER, 0, paxHeaderOf(BLOCK_BYTES));

function paxHeaderOf(sizeBytes: number): PlainHeader {
  return {
    type: PAX_HEADER,
    name: 'PaxHeaders/entry',
    linkName: '',
    mode: 0o644,
    userId: 0,
    groupId: 0,
    sizeBytes,
    seconds: 0,
    userName: '',
    groupName: '',
    deviceMajor: 0,
    deviceMinor: 0,
  };
}

function streamedHeader(header: PlainHeader): Header {
  return {
    type: header.type,
    name: header.name,
    linkname: header.linkName,
    mode: header.mode | MODE_IS_GIVEN,
    uid: header.userId,
    gid: header.groupId,
    size: header.sizeBytes,
    mtime: new Date(header.seconds * 1000),
    uname: header.userName,
    gname: header.groupName,
    devmajor: header.deviceMajor,
    devminor: header.deviceMinor,
  };
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

/** What a header can say: the truth, or what comes next to it where a record says the truth. */
function headerOf(entry: TarEntry, sizeBytes: number): PlainHeader {
  const name = entry.type === 'directory' ? `${entry.name}/` : entry.name;
  return {
    type: TYPES[entry.type],
    name: entry.regions === undefined ? plainName(name) : 'GNUSparseFile.0/file',
    linkName: entry.linkName === '' ? '' : plainName(entry.linkName),
    mode: entry.mode,
    userId: Math.min(entry.userId, HEADER_MAX.id),
    groupId: Math.min(entry.groupId, HEADER_MAX.id),
    sizeBytes,
    seconds: Math.min(Math.max(entry.modifyTime.seconds, 0), HEADER_MAX.seconds),
    userName: plainOwner(entry.userName),
    groupName: plainOwner(entry.groupName),
    deviceMajor: Math.min(entry.deviceMajor, HEADER_MAX.device),
    deviceMinor: Math.min(entry.deviceMinor, HEADER_MAX.device),
  };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
const NOT_ASCII = /[^\x01-\x7f]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
const IS_PLAIN = /^[\x01-\x7f]{0,100}$/;

function plainName(name: string): string {
  if (IS_PLAIN.test(name)) return name;
  const plain = name.replace(NOT_ASCII, '_');
  return plain.length > HEADER_MAX.nameBytes ? plain.slice(0, HEADER_MAX.nameBytes).replace(/\/+$/, '') : plain;
}

function plainOwner(name: string): string {
  return name === '' ? '' : name.replace(NOT_ASCII, '_').slice(0, HEADER_MAX.ownerNameBytes);
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
