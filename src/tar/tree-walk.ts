/**
 * Makes entries of a directory tree: first a directory, then what is in it, in the order of the names' bytes, so that the same tree always gives
 * the same archive. Everything is opened beneath its directory's descriptor and no link is followed, so nothing outside is
 * read whatever others do to the tree meanwhile. All calls are synchronous: meant for a worker thread.
 *
 * Not in it: sockets, what is or lies beneath a mount point, what is excluded by identity, and what vanished meanwhile. It is counted.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { type ByteText, readableText } from '../base/byte-text.ts';
import { fromSystemError } from '../errors/dunnage-error.ts';
import type { NativeBinding } from '../native/binding.ts';
import { NODE, nodeIdentity } from '../native/node-status.ts';
import { NAME_ONLY, READ_DIRECTORY } from '../native/open-flags.ts';
import { systemCode } from '../native/system-error.ts';
import { type EntryType, type FileTime, NO_XATTRS, type TarEntry } from './entry.ts';
import { dataRegions, readRegions } from './file-content.ts';
import { readXattrs } from './kept-xattrs.ts';
import { type TakePiece, takeNewPiece } from './piece-memory.ts';

const { S_IFMT, S_IFREG, S_IFDIR, S_IFLNK, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK } = constants;
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;
/** Files up to this size are read whole in one call. */
const SMALL_BYTES_MAX = 65_536;
/** Deeper trees have only their last directories open. */
const OPEN_DIRECTORIES_MAX = 64;
/** What a rename, a removal or a replacement in the moment of opening looks like. */
const VANISHED = new Set(['ENOENT', 'ELOOP', 'ENOTDIR', 'ESTALE', 'ENXIO']);

export interface WalkOptions {
  /** Identities (`nodeIdentity`) of what must not be in the archive, whatever its name is. */
  readonly excluded?: ReadonlySet<string>;
  /** Times of the last access and of the last change of the node are told as well. */
  readonly withAllTimes?: boolean;
  /** Where large contents are read to. */
  readonly takePiece?: TakePiece;
}

export interface SkippedNodes {
  sockets: number;
  mountPoints: number;
  excluded: number;
  vanished: number;
}

export interface WalkedNode {
  readonly entry: TarEntry;
  /** The stored bytes of a file, to be read (or copied) before the walk goes on: their memory is used again. */
  readonly content: Uint8Array | Iterable<Uint8Array>;
}

/** One directory on the way from the root to where the walk is. */
interface Frame {
  /** Undefined while a deep walk has it closed. */
  descriptor: number | undefined;
  readonly identity: string;
  readonly name: ByteText;
  readonly names: readonly string[];
  readonly attributes: Float64Array;
  readonly order: readonly number[];
  next: number;
}

const NOTHING: readonly Uint8Array[] = [];

export class TreeWalk {
  readonly skipped: SkippedNodes = { sockets: 0, mountPoints: 0, excluded: 0, vanished: 0 };
  readonly #native: NativeBinding;
  readonly #options: WalkOptions;
  readonly #takePiece: TakePiece;
  /** First name in the archive of each file that has several. */
  readonly #linked = new Map<string, ByteText>();
  readonly #small = Buffer.allocUnsafeSlow(SMALL_BYTES_MAX);
  readonly #smallStatus = new Float64Array(NODE.fields + 1);
  #mountId = -1;
  #device = '';
  /** For the message of an error. */
  #current = '' as ByteText;

  constructor(native: NativeBinding, options: WalkOptions = {}) {
    this.#native = native;
    this.#options = options;
    this.#takePiece = options.takePiece ?? takeNewPiece;
  }

  /** Name in the archive of what was looked at last. */
  get current(): ByteText {
    return this.#current;
  }

  /**
   * Everything from a directory on, itself included, under `name`. Several walks of one `TreeWalk` know each other's hard links. The
   * descriptor stays the caller's.
   * @throws DunnageError if something cannot be read.
   */
  *walk(root: number, name: ByteText): Generator<WalkedNode, void, void> {
    const frames: Frame[] = [];
    this.#current = name;
    try {
      const status = this.#native.statNode(root, '');
      this.#mountId = status[NODE.mountId] ?? -1;
      this.#device = deviceOf(status, 0);
      if (this.#options.excluded?.has(nodeIdentity(status)) === true) {
        this.skipped.excluded += 1;
        return;
      }
      yield this.#enter(frames, this.#native.openNode(root, '', READ_DIRECTORY, 0, false), status, 0, name);
      for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
        const index = frame.order[frame.next];
        if (index === undefined) {
          this.#leave(frames);
          continue;
        }
        frame.next += 1;
        yield* this.#visit(frames, frame, index);
      }
    } catch (error) {
      throw fromSystemError(error, `cannot read ${readableText(this.#current)}`);
    } finally {
      for (const { descriptor } of frames) if (descriptor !== undefined) closeSync(descriptor);
    }
  }

  *#visit(frames: Frame[], frame: Frame, index: number): Generator<WalkedNode, void, void> {
    const name = frame.names[index] as string;
    const at = index * NODE.fields;
    const path = `${frame.name}/${name}` as ByteText;
    this.#current = path;
    if (this.#isSkipped(frame.attributes, at)) return;
    const directory = frame.descriptor as number;
    const kind = (frame.attributes[at + NODE.mode] ?? 0) & S_IFMT;
    try {
      if (kind === S_IFREG) yield* this.#file(directory, name, frame.attributes, at, path);
      else if (kind === S_IFDIR) {
        const descriptor = this.#native.openNode(directory, name, READ_DIRECTORY, 0, true);
        const status = this.#native.statNode(descriptor, '');
        if (this.#isExcluded(status)) closeSync(descriptor);
        else yield this.#enter(frames, descriptor, status, 0, path);
      } else yield { entry: this.#special(directory, name, frame.attributes, at, path), content: NOTHING };
    } catch (error) {
      const code = systemCode(error) ?? '';
      this.#forgetName(frame.attributes, at, path);
      if (code === 'EXDEV') this.skipped.mountPoints += 1;
      else if (VANISHED.has(code)) this.skipped.vanished += 1;
      else throw error;
    }
  }

  #isSkipped(attributes: Float64Array, at: number): boolean {
    const kind = (attributes[at + NODE.mode] ?? 0) & S_IFMT;
    if (kind === S_IFSOCK) this.skipped.sockets += 1;
    else if (this.#isMountPoint(attributes, at)) this.skipped.mountPoints += 1;
    else if (this.#options.excluded?.has(nodeIdentity(attributes, at)) === true) this.skipped.excluded += 1;
    else return false;
    return true;
  }

  /** Of what was opened: since it was listed the name may have come to mean something that must not be archived. */
  #isExcluded(status: Float64Array): boolean {
    if (this.#options.excluded?.has(nodeIdentity(status)) !== true) return false;
    this.skipped.excluded += 1;
    return true;
  }

  #isMountPoint(attributes: Float64Array, at: number): boolean {
    const mountId = attributes[at + NODE.mountId] ?? -1;
    // A subvolume of btrfs has another device, and is no mount.
    return mountId === -1 ? deviceOf(attributes, at) !== this.#device : mountId !== this.#mountId;
  }

  /** The entry of a directory that was opened; what is in it comes next. */
  #enter(frames: Frame[], descriptor: number, status: Float64Array, at: number, name: ByteText): WalkedNode {
    let names: string[];
    let attributes: Float64Array;
    let entry: TarEntry;
    try {
      ({ names, attributes } = this.#native.listNodes(descriptor));
      const xattrs = readXattrs(this.#native, descriptor);
      entry = this.#entry({ type: 'directory', xattrs }, status, at, name);
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
    const order = names.map((_, index) => index).sort((a, b) => ((names[a] ?? '') < (names[b] ?? '') ? -1 : 1));
    frames.push({ descriptor, identity: nodeIdentity(status, at), name, names, attributes, order, next: 0 });
    const far = frames.at(-1 - OPEN_DIRECTORIES_MAX);
    if (far?.descriptor !== undefined) {
      closeSync(far.descriptor);
      far.descriptor = undefined;
    }
    return { entry, content: NOTHING };
  }

  /** Back to the parent, which is opened again if it was closed: through `..`, and only if it is still the same. */
  #leave(frames: Frame[]): void {
    const left = frames.pop() as Frame;
    const parent = frames.at(-1);
    try {
      if (parent === undefined || parent.descriptor !== undefined) return;
      const descriptor = openSync(`/proc/self/fd/${left.descriptor}/..`, READ_DIRECTORY);
      parent.descriptor = descriptor;
      if (nodeIdentity(this.#native.statNode(descriptor, '')) === parent.identity) return;
      // It was moved away: what is left of its parent cannot be reached any more.
      this.skipped.vanished += parent.order.length - parent.next;
      parent.next = parent.order.length;
    } finally {
      closeSync(left.descriptor as number);
    }
  }

  *#file(
    directory: number,
    name: string,
    attributes: Float64Array,
    at: number,
    path: ByteText,
  ): Generator<WalkedNode, void, void> {
    const firstName = this.#firstName(attributes, at, path);
    if (firstName !== undefined) {
      const entry = this.#entry({ type: 'hard-link', linkName: firstName }, attributes, at, path);
      yield { entry, content: NOTHING };
      return;
    }
    const sizeBytes = attributes[at + NODE.sizeBytes] ?? 0;
    const hasHoles = (attributes[at + NODE.blocks] ?? 0) * 512 < sizeBytes;
    const isLinked = (attributes[at + NODE.linkCount] ?? 1) > 1;
    if (sizeBytes <= SMALL_BYTES_MAX && !hasHoles && !isLinked) {
      const length = this.#native.readSmallFile(directory, name, this.#small, this.#smallStatus);
      if (length >= 0 && this.#isExcluded(this.#smallStatus)) return;
      if (length >= 0 && this.#smallStatus[NODE.fields] === 0) {
        const entry = this.#entry({ type: 'file', sizeBytes: length }, this.#smallStatus, 0, path);
        yield { entry, content: this.#small.subarray(0, length) };
        return;
      }
    }
    const descriptor = this.#native.openNode(directory, name, READ, 0, true);
    try {
      const status = this.#native.statNode(descriptor, '');
      if (this.#isExcluded(status)) {
        this.#forgetName(attributes, at, path);
        return;
      }
      const isSame = !isLinked || nodeIdentity(status) === nodeIdentity(attributes, at);
      if (((status[NODE.mode] ?? 0) & S_IFMT) === S_IFREG && isSame) yield this.#openFile(descriptor, status, path);
      else {
        this.#forgetName(attributes, at, path);
        this.skipped.vanished += 1;
      }
    } finally {
      closeSync(descriptor);
    }
  }

  /** Any file: it may be large, have holes or attributes. */
  #openFile(descriptor: number, status: Float64Array, path: ByteText): WalkedNode {
    const sizeBytes = status[NODE.sizeBytes] ?? 0;
    const regions = dataRegions(this.#native, descriptor, sizeBytes, status[NODE.blocks] ?? 0);
    const xattrs = readXattrs(this.#native, descriptor);
    const entry = this.#entry({ type: 'file', sizeBytes, regions, xattrs }, status, 0, path);
    return { entry, content: readRegions(descriptor, regions ?? [{ offset: 0, sizeBytes }], this.#takePiece) };
  }

  /** Under which name the archive has this file already; undefined if this is the first. */
  #firstName(attributes: Float64Array, at: number, path: ByteText): ByteText | undefined {
    if ((attributes[at + NODE.linkCount] ?? 1) < 2) return undefined;
    const identity = nodeIdentity(attributes, at);
    const first = this.#linked.get(identity);
    if (first === undefined) this.#linked.set(identity, path);
    return first;
  }

  /** The archive has no such file after all: its other names must not be links to it. */
  #forgetName(attributes: Float64Array, at: number, path: ByteText): void {
    const identity = nodeIdentity(attributes, at);
    if (this.#linked.get(identity) === path) this.#linked.delete(identity);
  }

  /** Links, devices and fifos: they are only looked at. */
  #special(directory: number, name: string, attributes: Float64Array, at: number, path: ByteText): TarEntry {
    const type = specialType((attributes[at + NODE.mode] ?? 0) & S_IFMT);
    const firstName = this.#firstName(attributes, at, path);
    if (firstName !== undefined) return this.#entry({ type: 'hard-link', linkName: firstName }, attributes, at, path);
    const linkName = (type === 'symlink' ? this.#native.readLinkText(directory, name) : '') as ByteText;
    const descriptor = this.#native.openNode(directory, name, NAME_ONLY, 0, true);
    try {
      return this.#entry({ type, linkName, xattrs: readXattrs(this.#native, descriptor) }, attributes, at, path);
    } finally {
      closeSync(descriptor);
    }
  }

  #entry(
    given: Pick<TarEntry, 'type'> & Partial<TarEntry>,
    status: Float64Array,
    at: number,
    name: ByteText,
  ): TarEntry {
    const isDevice = given.type === 'character-device' || given.type === 'block-device';
    const allTimes = this.#options.withAllTimes === true;
    // Field by field: it is made for every file, and copies of objects take several times as long.
    return {
      type: given.type,
      name,
      linkName: given.linkName ?? ('' as ByteText),
      mode: (status[at + NODE.mode] ?? 0) & 0o7777,
      userId: status[at + NODE.userId] ?? 0,
      groupId: status[at + NODE.groupId] ?? 0,
      userName: '' as ByteText,
      groupName: '' as ByteText,
      sizeBytes: given.sizeBytes ?? 0,
      modifyTime: timeOf(status, at + NODE.modifySeconds),
      accessTime: allTimes ? timeOf(status, at + NODE.accessSeconds) : undefined,
      changeTime: allTimes ? timeOf(status, at + NODE.changeSeconds) : undefined,
      deviceMajor: isDevice ? (status[at + NODE.specialMajor] ?? 0) : 0,
      deviceMinor: isDevice ? (status[at + NODE.specialMinor] ?? 0) : 0,
      xattrs: given.xattrs ?? NO_XATTRS,
      regions: given.regions,
    };
  }
}

function deviceOf(status: Float64Array, at: number): string {
  return `${status[at + NODE.deviceMajor]}:${status[at + NODE.deviceMinor]}`;
}

function timeOf(status: Float64Array, at: number): FileTime {
  return { seconds: status[at] ?? 0, nanoseconds: status[at + 1] ?? 0 };
}

function specialType(kind: number): EntryType {
  if (kind === S_IFLNK) return 'symlink';
  if (kind === S_IFCHR) return 'character-device';
  if (kind === S_IFBLK) return 'block-device';
  if (kind === S_IFIFO) return 'fifo';
  throw new Error(`a node of an unknown kind: ${kind.toString(8)}`);
}
