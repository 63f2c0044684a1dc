/**
 * Unpacks the archive of an alloc below a directory, with the rules of allocs on top of those of trees:
 *
 * - what leads outside is refused, in the words that programs know. A link that leads outside is never made: it is remembered, and the archive is
 *   refused at its end unless another entry has taken the name meanwhile;
 * - the entry of a snapshot that failed ends it, with its content as the reason;
 * - with `roots`, only directories of a snapshot and what lies in them is taken;
 * - devices are refused: nobody who makes archives shall make devices on this host.
 */
import { type ByteText, readableText } from '../../base/byte-text.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { NativeBinding } from '../../native/binding.ts';
import { type FileTime, type TarEntry, tarEntry } from '../../tar/entry.ts';
import { type EntryPath, entryPath, leadsOutside, pathText } from '../../tar/entry-path.ts';
import { hostOwners } from '../../tar/host-owners.ts';
import { TarParser } from '../../tar/tar-parser.ts';
import { TreeWriter } from '../../tar/tree-writer.ts';
import { ArchiveLinks } from './archive-links.ts';
import type { UnpackSummary } from './messages.ts';
import { isSnapshotErrorName, rootPath, type SnapshotRoot } from './snapshot-names.ts';

/** Of the reason why a snapshot failed, the beginning is enough. */
const REASON_BYTES_MAX = 65_536;
const NOBODY = 65_534;
const NEW_DIRECTORY_MODE = 0o777;

export interface ReceiverOptions {
  readonly roots: readonly SnapshotRoot[] | undefined;
  readonly owners: boolean;
}

export class AllocReceiver {
  readonly #parser = new TarParser({ ownerNumbers: hostOwners() });
  readonly #writer: TreeWriter;
  readonly #roots: ReadonlySet<string> | undefined;
  readonly #parents: ReadonlySet<string>;
  readonly #links = new ArchiveLinks();
  /** Links that would lead outside, by their place. */
  readonly #escaping = new Map<ByteText, TarEntry>();
  readonly #described = new Set<ByteText>();
  /** Roots that have something in them, with the time of the first thing. */
  readonly #undescribed = new Map<ByteText, FileTime>();
  #reason: Buffer[] | undefined;
  #isSkipped = false;

  constructor(native: NativeBinding, directory: number, options: ReceiverOptions) {
    this.#writer = new TreeWriter(native, directory, { owners: options.owners, devices: 'refuse' });
    this.#roots = options.roots === undefined ? undefined : new Set(options.roots.map(rootPath));
    this.#parents = new Set(options.roots?.map(({ parent }) => parent));
  }

  /** @throws DunnageError of what is wrong with the archive. What was unpacked stays. */
  receive(bytes: Uint8Array): void {
    this.#parser.feed(bytes);
    for (let event = this.#parser.next(); event !== undefined; event = this.#parser.next()) {
      if (event.kind === 'entry') this.#begin(event.entry);
      else if (event.kind === 'content') this.#content(event.bytes, event.offset);
      else if (event.kind === 'entry-end') this.#end();
    }
  }

  /** The archive has ended. @throws DunnageError CORRUPT if it was cut off; INVALID_ARGUMENT if it has links that lead outside. */
  finish(): UnpackSummary {
    this.#parser.end();
    const [escaping] = this.#escaping.values();
    if (escaping !== undefined) throw escapingLink(escaping);
    const through = this.#links.firstEscaping();
    if (through !== undefined)
      throw new DunnageError('INVALID_ARGUMENT', ESCAPING_LINK, {
        remedy: `the link is ${JSON.stringify(readableText(through))}, through another link`,
      });
    this.#describeRoots();
    this.#writer.finish();
    return this.#writer.report;
  }

  close(): void {
    this.#writer.close();
  }

  #begin(entry: TarEntry): void {
    this.#isSkipped = false;
    const path = entryPath(entry.name);
    if (path === undefined) throw entry.type === 'symlink' ? escapingLink(entry) : escapingObject(entry);
    if (path.parents.length === 0 && entry.type === 'file' && isSnapshotErrorName(entry.name)) {
      this.#reason = [];
      return;
    }
    if (!this.#isWanted(entry, path)) return;
    const place = pathText(path);
    const text = entry.type === 'hard-link' ? this.#checkHardLink(entry, path) : entry.linkName;
    this.#escaping.delete(place);
    this.#links.delete(place);
    if (entry.type === 'symlink' && leadsOutside(path, entry.linkName)) {
      this.#escaping.set(place, entry);
      this.#isSkipped = true;
      return;
    }
    for (const above of placesAbove(path)) {
      const link = this.#escaping.get(above);
      if (link !== undefined) throw escapingObject(entry);
    }
    this.#writer.begin(entry);
    if (text !== undefined && text !== '') this.#links.set(place, text);
  }

  #content(bytes: Uint8Array, offset: number): void {
    if (this.#reason !== undefined) {
      if (offset < REASON_BYTES_MAX) this.#reason.push(Buffer.from(bytes.subarray(0, REASON_BYTES_MAX - offset)));
      return;
    }
    if (!this.#isSkipped) this.#writer.write(bytes, offset);
  }

  #end(): void {
    if (this.#reason !== undefined) {
      const reason = Buffer.concat(this.#reason).toString('utf8');
      throw new DunnageError('CORRUPT', `the snapshot is not complete: ${reason}`, {
        remedy: 'mend what the reason names on the host of the snapshot, and make it again',
      });
    }
    if (!this.#isSkipped) this.#writer.end();
  }

  /** False for directories above the roots, of which nothing is taken. */
  #isWanted(entry: TarEntry, path: EntryPath): boolean {
    if (this.#roots === undefined) return true;
    const names = [...path.parents, path.name];
    const isAbove = names.length === 1 && (path.name === '' || this.#parents.has(path.name));
    if (isAbove && entry.type === 'directory') {
      this.#isSkipped = true;
      return false;
    }
    const isInRoot = names.length > 1 && this.#roots.has(`${names[0]}/${names[1]}`);
    if (isInRoot && (names.length > 2 || entry.type === 'directory')) {
      this.#noteRoot(`${names[0]}/${names[1]}` as ByteText, entry, names.length === 2);
      return true;
    }
    throw new DunnageError(
      'INVALID_ARGUMENT',
      `archive contains object that is no part of a snapshot: ${shown(entry)}`,
      {
        remedy: `this alloc takes: ${[...this.#roots].map((root) => readableText(root as ByteText)).join(', ')}`,
      },
    );
  }

  #noteRoot(root: ByteText, entry: TarEntry, isRootItself: boolean): void {
    if (isRootItself) this.#described.add(root);
    else if (!this.#undescribed.has(root)) this.#undescribed.set(root, entry.modifyTime);
  }

  /** A root that the archive does not describe is as a new alloc has it. */
  #describeRoots(): void {
    for (const [name, modifyTime] of this.#undescribed) {
      if (this.#described.has(name)) continue;
      const owner = { userId: NOBODY, groupId: NOBODY };
      this.#writer.begin(tarEntry({ type: 'directory', name, mode: NEW_DIRECTORY_MODE, modifyTime, ...owner }));
    }
  }

  /**
   * The file that it repeats must be one that is taken. If that is a link, this is another link with the same text, in another place. Returns its
   * text then.
   */
  #checkHardLink(entry: TarEntry, path: EntryPath): ByteText | undefined {
    const target = entryPath(entry.linkName);
    if (target === undefined) throw escapingObject(entry);
    const [first, second] = [...target.parents, target.name];
    if (this.#roots !== undefined && !this.#roots.has(`${first}/${second}`)) throw escapingObject(entry);
    const refusedLink = this.#escaping.get(pathText(target));
    if (refusedLink !== undefined) throw escapingLink(refusedLink);
    const text = this.#links.get(pathText(target));
    if (text !== undefined && leadsOutside(path, text)) throw escapingLink({ ...entry, linkName: text });
    return text;
  }
}

const ESCAPING_OBJECT = 'archive contains object that escapes alloc dir';
const ESCAPING_LINK = 'archive contains symlink that escapes alloc dir';

function escapingObject(entry: TarEntry): DunnageError {
  return new DunnageError('INVALID_ARGUMENT', ESCAPING_OBJECT, { remedy: `the entry is ${shown(entry)}` });
}

function escapingLink(entry: TarEntry): DunnageError {
  return new DunnageError('INVALID_ARGUMENT', ESCAPING_LINK, {
    remedy: `the link is ${shown(entry)} -> ${JSON.stringify(readableText(entry.linkName).slice(0, 200))}`,
  });
}

function shown(entry: TarEntry): string {
  return JSON.stringify(readableText(entry.name).slice(0, 200));
}

function* placesAbove({ parents }: EntryPath): Generator<ByteText, void, void> {
  let place = '';
  for (const name of parents) {
    place = place === '' ? name : `${place}/${name}`;
    yield place as ByteText;
  }
}
