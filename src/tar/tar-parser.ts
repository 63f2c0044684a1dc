/**
 * Reads an archive in whatever pieces it arrives: `feed` bytes, then take events with `next` until there are none; `end` when
 * the input ends. It does no input or output and holds one piece of input and one header at most.
 *
 * tar-stream's `extract` cannot be what reads here: it decodes the records of extended headers as UTF-8 before anybody sees them
 * (binary attributes and names are lost, repeated records too), takes the blocks that continue the map of an old sparse file for
 * content, is off by one in negative base-256 numbers, and goes on reading behind the end of an archive.
 *
 * What ends an archive is two blocks of zeros. Without them it was cut off, unless `endMark` says otherwise.
 */
import { type ByteText, byteTextOf, readableText } from '../base/byte-text.ts';
import { limits } from '../base/limits.ts';
import type { OwnerNumbers } from './acl-text.ts';
import { BlockInput } from './block-input.ts';
import { brokenArchive, refusedArchive } from './broken-archive.ts';
import type { DataRegion, EntryType, TarEntry } from './entry.ts';
import { BLOCK_BYTES, type HeaderBlock, isZeroBlock, readHeaderBlock } from './header-block.ts';
import { describeEntry, mergeRecords } from './pax-entry.ts';
import { type PaxRecord, readPaxRecords } from './pax-records.ts';
import { MapReader, mapFault, readCommaMap, readOldRealSize, readOldSparseBlock } from './sparse-map.ts';

export type TarEvent =
  | { readonly kind: 'entry'; readonly entry: TarEntry }
  /** Bytes of the entry's content and where they belong in the file. They are of the input: used or copied before more is fed. */
  | { readonly kind: 'content'; readonly bytes: Uint8Array; readonly offset: number }
  | { readonly kind: 'entry-end' }
  | { readonly kind: 'end' };

export interface ParserOptions {
  /** `optional`: an archive may simply end behind an entry, as one of several that were joined does. */
  readonly endMark?: 'required' | 'optional';
  /** Who finds the users and groups that access control lists name. Without it only numbers are taken. */
  readonly ownerNumbers?: OwnerNumbers;
}

const TYPES: ReadonlyMap<string, EntryType> = new Map([
  ['0', 'file'],
  ['7', 'file'],
  ['S', 'file'],
  ['1', 'hard-link'],
  ['2', 'symlink'],
  ['3', 'character-device'],
  ['4', 'block-device'],
  ['5', 'directory'],
  ['D', 'directory'],
  ['6', 'fifo'],
]);
/** Headers that say something about the next entry, or about all that follow. */
const EXTENDED = new Set(['x', 'X', 'g', 'L', 'K']);
/** The label of a volume is a name without anything behind it. */
const VOLUME_LABEL = 'V';
const NOBODY: OwnerNumbers = { user: () => undefined, group: () => undefined };

type State =
  | { readonly at: 'header'; readonly zeroBlocks: number }
  | { readonly at: 'extended'; readonly header: HeaderBlock }
  | { readonly at: 'old-map'; readonly entry: TarEntry; readonly regions: DataRegion[]; readonly stored: number }
  | { readonly at: 'map'; readonly entry: TarEntry; readonly map: MapReader; readonly stored: number }
  | { readonly at: 'content'; readonly regions: readonly DataRegion[] | undefined }
  | { readonly at: 'skip'; readonly event: TarEvent | undefined }
  | { readonly at: 'end' };

export class TarParser {
  readonly #input = new BlockInput();
  readonly #isEndMarkRequired: boolean;
  readonly #ownerNumbers: OwnerNumbers;
  #global: ReadonlyMap<string, ByteText> = new Map();
  #own: PaxRecord[] = [];
  #gnuName: ByteText | undefined;
  #gnuLinkName: ByteText | undefined;
  #headerBytes = 0;
  #state: State = { at: 'header', zeroBlocks: 0 };
  /** Bytes of content, or of what is skipped, still to come; and what fills the last block behind them. */
  #left = 0;
  #filling = 0;
  #region = 0;
  #regionDone = 0;

  constructor(options: ParserOptions = {}) {
    this.#isEndMarkRequired = options.endMark !== 'optional';
    this.#ownerNumbers = options.ownerNumbers ?? NOBODY;
  }

  /** The bytes are kept until `next` has used them up: they must not change meanwhile. */
  feed(bytes: Uint8Array): void {
    this.#input.feed(bytes);
  }

  /** The next thing in the archive, or undefined if more bytes must be fed first. */
  next(): TarEvent | undefined {
    for (;;) {
      const state = this.#state;
      const step = this.#step(state);
      if (step !== 'again') return step;
    }
  }

  /**
   * Nothing more comes. Preconditions: `next` has returned undefined, or the event `end`.
   * @throws DunnageError CORRUPT if the archive was cut off.
   */
  end(): void {
    const state = this.#state;
    if (state.at === 'end') return;
    const isBetween = state.at === 'header' && this.#input.size === 0 && !this.#hasExtended();
    // One block of zeros is half an end mark: nothing of the archive is missing.
    if (isBetween && (!this.#isEndMarkRequired || state.zeroBlocks > 0)) return;
    throw brokenArchive('it was cut off', this.#input.position + this.#input.size);
  }

  /** Bytes that were used so far. */
  get position(): number {
    return this.#input.position;
  }

  #step(state: State): TarEvent | undefined | 'again' {
    switch (state.at) {
      case 'header':
        return this.#readHeader(state.zeroBlocks);
      case 'extended':
        return this.#readExtended(state.header);
      case 'old-map':
        return this.#readOldMap(state);
      case 'map':
        return this.#readMap(state);
      case 'content':
        return this.#readContent(state.regions);
      case 'skip':
        return this.#skip(state.event);
      case 'end':
        // What follows the end of an archive is nobody's.
        this.#input.drop(this.#input.size);
        return undefined;
    }
  }

  #readHeader(zeroBlocks: number): TarEvent | undefined | 'again' {
    const block = this.#input.take(BLOCK_BYTES);
    if (block === undefined) return undefined;
    if (isZeroBlock(block)) {
      if (this.#hasExtended()) throw this.#broken('it ends behind an extended header');
      if (zeroBlocks === 0) {
        this.#state = { at: 'header', zeroBlocks: 1 };
        return 'again';
      }
      this.#state = { at: 'end' };
      return { kind: 'end' };
    }
    if (zeroBlocks > 0) throw this.#broken('there is something behind its end');
    const header = readHeaderBlock(block);
    if (typeof header === 'string') {
      if (this.#input.position === BLOCK_BYTES) throw this.#broken(`this is no tar archive: ${header}`);
      throw this.#broken(`a header is damaged: ${header}`);
    }
    return EXTENDED.has(header.typeFlag) ? this.#beginExtended(header) : this.#beginEntry(header, block);
  }

  #beginExtended(header: HeaderBlock): 'again' {
    this.#headerBytes += header.sizeBytes + BLOCK_BYTES;
    if (this.#headerBytes > limits.tarHeaderBytesMax)
      throw refusedArchive(`headers of more than ${limits.tarHeaderBytesMax} bytes for one entry`, this.position);
    this.#state = { at: 'extended', header };
    return 'again';
  }

  #readExtended(header: HeaderBlock): undefined | 'again' {
    const filling = fillingOf(header.sizeBytes);
    const bytes = this.#input.take(header.sizeBytes + filling)?.subarray(0, header.sizeBytes);
    if (bytes === undefined) return undefined;
    if (header.typeFlag === 'L') this.#gnuName = textOf(bytes);
    else if (header.typeFlag === 'K') this.#gnuLinkName = textOf(bytes);
    else {
      const records = readPaxRecords(bytes);
      if (typeof records === 'string') throw this.#broken(`an extended header is damaged: ${records}`);
      if (header.typeFlag === 'g') this.#global = mergeRecords(this.#global, records);
      else this.#own.push(...records);
    }
    this.#state = { at: 'header', zeroBlocks: 0 };
    return 'again';
  }

  #beginEntry(header: HeaderBlock, block: Uint8Array): TarEvent | undefined | 'again' {
    const type = typeOf(header);
    if (type === undefined && header.typeFlag !== VOLUME_LABEL)
      throw refusedArchive(
        `an entry of type ${JSON.stringify(header.typeFlag)}, "${readableText(header.name)}"`,
        this.position,
      );
    const records = this.#takeRecords();
    const described = describeEntry(type ?? 'directory', header, records, this.#ownerNumbers);
    if (typeof described === 'string') throw this.#broken(described);
    // Some writers state the size of the file that a hard link repeats; none stores it again.
    const stored = type === 'hard-link' ? 0 : described.storedBytes;
    const { entry } = described;
    if (type === undefined) return this.#beginSkip(stored, undefined);
    if (header.typeFlag === 'S') return this.#beginOldMap(block, entry, stored);
    if (entry.type !== 'file') return this.#beginSkip(stored, { kind: 'entry', entry });
    if (records.get('GNU.sparse.major') !== undefined && records.get('GNU.sparse.major') !== '0') {
      if (records.get('GNU.sparse.major') !== '1' || (records.get('GNU.sparse.minor') ?? '0') !== '0')
        throw refusedArchive('a sparse file of an unknown format', this.position);
      this.#state = { at: 'map', entry, map: new MapReader(), stored };
      return 'again';
    }
    const map = records.get('GNU.sparse.map') ?? (records.has('GNU.sparse.numblocks') ? '' : undefined);
    if (map === undefined) return this.#beginContent(entry, undefined, stored);
    const regions = readCommaMap(map);
    if (typeof regions === 'string') throw this.#broken(regions);
    return this.#beginContent(entry, regions, stored);
  }

  #takeRecords(): Map<string, ByteText> {
    const records = mergeRecords(this.#global, this.#own);
    if (this.#gnuName !== undefined && !records.has('path')) records.set('path', this.#gnuName);
    if (this.#gnuLinkName !== undefined && !records.has('linkpath')) records.set('linkpath', this.#gnuLinkName);
    this.#own = [];
    this.#gnuName = undefined;
    this.#gnuLinkName = undefined;
    this.#headerBytes = 0;
    return records;
  }

  #hasExtended(): boolean {
    return this.#own.length > 0 || this.#gnuName !== undefined || this.#gnuLinkName !== undefined;
  }

  #beginOldMap(block: Uint8Array, entry: TarEntry, stored: number): TarEvent | 'again' {
    const first = readOldSparseBlock(block, true);
    const sizeBytes = readOldRealSize(block);
    if (typeof first === 'string') throw this.#broken(first);
    if (sizeBytes === undefined || sizeBytes < 0) throw this.#broken('the length of a sparse file is no number');
    const sparse = { ...entry, sizeBytes };
    if (!first.hasMore) return this.#beginContent(sparse, first.regions, stored);
    this.#state = { at: 'old-map', entry: sparse, regions: [...first.regions], stored };
    return 'again';
  }

  #readOldMap(state: State & { at: 'old-map' }): TarEvent | undefined | 'again' {
    const block = this.#input.take(BLOCK_BYTES);
    if (block === undefined) return undefined;
    const more = readOldSparseBlock(block, false);
    if (typeof more === 'string') throw this.#broken(more);
    state.regions.push(...more.regions);
    if (state.regions.length > limits.tarSparseRegionsMax) throw this.#broken('a sparse file has too many pieces');
    return more.hasMore ? 'again' : this.#beginContent(state.entry, state.regions, state.stored);
  }

  #readMap(state: State & { at: 'map' }): TarEvent | undefined | 'again' {
    if (state.stored < BLOCK_BYTES) throw this.#broken('the map of a sparse file is longer than what is stored of it');
    const block = this.#input.take(BLOCK_BYTES);
    if (block === undefined) return undefined;
    const regions = state.map.add(block);
    if (typeof regions === 'string') throw this.#broken(regions);
    const stored = state.stored - BLOCK_BYTES;
    if (regions !== undefined) return this.#beginContent(state.entry, regions, stored);
    this.#state = { ...state, stored };
    return 'again';
  }

  #beginContent(entry: TarEntry, regions: readonly DataRegion[] | undefined, stored: number): TarEvent {
    const fault = regions === undefined ? undefined : mapFault(regions, entry.sizeBytes, stored);
    if (fault !== undefined) throw this.#broken(fault);
    this.#left = stored;
    this.#filling = fillingOf(stored);
    this.#region = 0;
    this.#regionDone = 0;
    // Pieces without a byte mark the end of files with a hole there: the length says it already.
    const pieces = regions?.filter(({ sizeBytes }) => sizeBytes > 0);
    this.#state = { at: 'content', regions: pieces };
    return { kind: 'entry', entry: pieces === undefined ? entry : { ...entry, regions: pieces } };
  }

  #readContent(regions: readonly DataRegion[] | undefined): TarEvent | undefined | 'again' {
    if (this.#left === 0) return this.#beginFilling();
    const region = regions?.[this.#region];
    const wanted = region === undefined ? this.#left : region.sizeBytes - this.#regionDone;
    const bytes = this.#input.takeSome(wanted);
    if (bytes === undefined) return undefined;
    const offset = (region?.offset ?? 0) + this.#regionDone;
    this.#left -= bytes.length;
    this.#regionDone += bytes.length;
    if (region !== undefined && this.#regionDone === region.sizeBytes) {
      this.#region += 1;
      this.#regionDone = 0;
    }
    return { kind: 'content', bytes, offset };
  }

  #beginFilling(): 'again' {
    this.#left = this.#filling;
    this.#state = { at: 'skip', event: { kind: 'entry-end' } };
    return 'again';
  }

  /** Types without content may have some all the same, which nobody reads. */
  #beginSkip(stored: number, event: TarEvent | undefined): TarEvent | 'again' {
    this.#left = stored + fillingOf(stored);
    this.#state = { at: 'skip', event: event === undefined ? undefined : { kind: 'entry-end' } };
    return event ?? 'again';
  }

  #skip(event: TarEvent | undefined): TarEvent | undefined | 'again' {
    this.#left -= this.#input.drop(this.#left);
    if (this.#left > 0) return undefined;
    this.#state = { at: 'header', zeroBlocks: 0 };
    return event ?? 'again';
  }

  #broken(what: string): Error {
    return brokenArchive(what, Math.max(0, this.position - BLOCK_BYTES));
  }
}

function typeOf(header: HeaderBlock): EntryType | undefined {
  const type = TYPES.get(header.typeFlag);
  // Before there was a type for directories, a slash behind the name said so.
  return type === 'file' && header.typeFlag === '0' && header.name.endsWith('/') ? 'directory' : type;
}

/** Names of GNU's long headers end with a NUL. */
function textOf(bytes: Uint8Array): ByteText {
  const end = bytes.indexOf(0);
  return byteTextOf(end < 0 ? bytes : bytes.subarray(0, end));
}

function fillingOf(sizeBytes: number): number {
  const over = sizeBytes % BLOCK_BYTES;
  return over === 0 ? 0 : BLOCK_BYTES - over;
}
