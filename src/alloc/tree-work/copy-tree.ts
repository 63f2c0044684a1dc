/**
 * cp -a by descriptors, that goes on where an earlier attempt was interrupted: owners, modes, times to the nanosecond, extended attributes
 * (ACLs among them), hard links, holes, fifos, sockets and devices. Each directory gets its own attributes when all that is in it is there.
 *
 * What an earlier attempt left is compared with the source byte by byte and mended; what the source does not have is removed.
 *
 * A task can nest directories as deep as it likes: only the last ones on the way are open.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { DunnageError } from '../../errors/dunnage-error.ts';
import { loadNative } from '../../native/load.ts';
import { NODE, nodeIdentity } from '../../native/node-status.ts';
import { NAME_ONLY, READ_DIRECTORY } from '../../native/open-flags.ts';
import { systemCode } from '../../native/system-error.ts';
import { OpenParents } from '../../tar/open-parents.ts';
import { copyAttributes, copyNameAttributes, field, setTimes } from './copy-attributes.ts';
import { copyContent } from './copy-content.ts';
import { removeTree } from './remove-tree.ts';

const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const WRITE = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** Deeper trees have only their last directories open, and are gone back through `..`. */
const OPEN_DIRECTORIES_MAX = 64;
const TIMES = [NODE.sizeBytes, NODE.modifySeconds, NODE.modifyNanoseconds, NODE.changeSeconds, NODE.changeNanoseconds];

export interface CopyOptions {
  /** Called after each piece; throws to stop. */
  readonly onStep: (copiedBytes: number) => void;
}

/** Copies the content of the open directory `source` into the open directory `target`, and its attributes onto it. */
export function copyTree(source: number, target: number, options: CopyOptions): void {
  new TreeCopy(target, options).run(source);
}

/** One side of a directory on the way. */
interface Side {
  /** Undefined while a deep copy has it closed. */
  descriptor: number | undefined;
  readonly identity: string;
}

/** One directory on the way from the root to where the copy is. */
interface Frame {
  readonly source: Side;
  readonly target: Side;
  readonly path: string;
  readonly before: Float64Array;
  readonly names: readonly string[];
  readonly attributes: Float64Array;
  next: number;
}

class TreeCopy {
  readonly #native = loadNative();
  readonly #target: number;
  readonly #options: CopyOptions;
  readonly #frames: Frame[] = [];
  /** Where files with several names were copied to: by identity, the path beneath the target. */
  readonly #linked = new Map<string, string>();
  readonly #linkParents: OpenParents;

  constructor(target: number, options: CopyOptions) {
    this.#target = target;
    this.#options = options;
    this.#linkParents = new OpenParents(this.#native, target);
  }

  run(source: number): void {
    try {
      this.#enter(this.#openAgain(source), this.#openAgain(this.#target), '');
      for (let frame = this.#frames.at(-1); frame !== undefined; frame = this.#frames.at(-1)) {
        if (frame.next === frame.names.length) {
          this.#leave();
          continue;
        }
        const at = frame.next * NODE.fields;
        const status = frame.attributes.slice(at, at + NODE.fields);
        const name = frame.names[frame.next] as string;
        frame.next += 1;
        this.#child(frame, name, frame.path === '' ? name : `${frame.path}/${name}`, status);
        this.#options.onStep(0);
      }
    } finally {
      for (const frame of this.#frames) closeFrame(frame);
      this.#linkParents.close();
    }
  }

  /** Takes both descriptors over. */
  #enter(source: number, target: number, path: string): void {
    try {
      const before = this.#native.statNode(source, '');
      const { names, attributes } = this.#native.listNodes(source);
      this.#removeOthers(target, new Set(names));
      this.#frames.push({
        source: { descriptor: source, identity: nodeIdentity(before) },
        target: { descriptor: target, identity: nodeIdentity(this.#native.statNode(target, '')) },
        ...{ path, before, names, attributes, next: 0 },
      });
    } catch (error) {
      closeSync(source);
      closeSync(target);
      throw error;
    }
    const far = this.#frames.at(-1 - OPEN_DIRECTORIES_MAX);
    if (far !== undefined) closeFrame(far);
  }

  /** All that is in it is there: it gets its attributes. Its parent is reached from it, while it may still be passed. */
  #leave(): void {
    const frame = this.#frames.pop() as Frame;
    const [source, target] = descriptorsOf(frame);
    try {
      this.#requireUnchanged(frame.before, this.#native.statNode(source, ''), frame.path);
      const parent = this.#frames.at(-1);
      if (parent !== undefined) {
        parent.source.descriptor ??= this.#openParent(source, parent.source, parent.path);
        parent.target.descriptor ??= this.#openParent(target, parent.target, parent.path);
      }
      copyAttributes(source, target, frame.before);
    } finally {
      closeFrame(frame);
    }
  }

  #openParent(child: number, { identity }: Side, path: string): number {
    const descriptor = openSync(`/proc/self/fd/${child}/..`, READ_DIRECTORY);
    if (nodeIdentity(this.#native.statNode(descriptor, '')) === identity) return descriptor;
    closeSync(descriptor);
    throw changed(path);
  }

  #openAgain(directory: number): number {
    return this.#native.openNode(directory, '', READ_DIRECTORY, 0, true);
  }

  #child(frame: Frame, name: string, path: string, status: Float64Array): void {
    const [source, target] = descriptorsOf(frame);
    const type = field(status, NODE.mode) & constants.S_IFMT;
    if (this.#isOfOtherType(target, name, type)) removeTree(target, name, { onStep: () => this.#options.onStep(0) });
    if (type === constants.S_IFDIR) this.#subdirectory(source, target, name, path);
    else if (this.#isLinkToCopied(target, name, path, status)) return;
    else if (type === constants.S_IFREG) this.#file(source, target, name, path);
    else this.#special(source, target, name, status, type);
  }

  #subdirectory(source: number, target: number, name: string, path: string): void {
    const from = this.#native.openNode(source, name, READ_DIRECTORY, 0, true);
    let to: number;
    try {
      if (this.#statusOf(target, name) === undefined) {
        this.#native.makeNode(target, name, constants.S_IFDIR | 0o700, 0, 0);
      }
      to = this.#native.openNode(target, name, READ_DIRECTORY, 0, true);
    } catch (error) {
      closeSync(from);
      throw error;
    }
    this.#enter(from, to, path);
  }

  #file(source: number, target: number, name: string, path: string): void {
    const from = this.#native.openNode(source, name, READ, 0, true);
    try {
      const before = this.#native.statNode(from, '');
      // Owners and modes of an earlier attempt must not be in the way, nor another name of the same file.
      if ((this.#statusOf(target, name)?.[NODE.linkCount] ?? 1) > 1) this.#native.removeNode(target, name, false);
      const to = this.#native.openNode(target, name, WRITE, 0o600, true);
      try {
        copyContent(from, to, field(before, NODE.sizeBytes), this.#options.onStep);
        this.#requireUnchanged(before, this.#native.statNode(from, ''), path);
        copyAttributes(from, to, before);
      } finally {
        closeSync(to);
      }
    } finally {
      closeSync(from);
    }
  }

  #special(source: number, target: number, name: string, status: Float64Array, type: number): void {
    if (this.#statusOf(target, name) !== undefined) this.#native.removeNode(target, name, false);
    if (type === constants.S_IFLNK) {
      this.#native.makeSymlink(this.#native.readLinkText(source, name), target, name);
    } else {
      const mode = field(status, NODE.mode);
      this.#native.makeNode(target, name, mode, field(status, NODE.specialMajor), field(status, NODE.specialMinor));
    }
    const from = this.#native.openNode(source, name, NAME_ONLY, 0, true);
    const to = this.#native.openNode(target, name, NAME_ONLY, 0, true);
    try {
      copyNameAttributes(from, to, status);
      setTimes(target, name, status);
    } finally {
      closeSync(from);
      closeSync(to);
    }
  }

  /** Copied already under another name: then this is a link to that. */
  #isLinkToCopied(target: number, name: string, path: string, status: Float64Array): boolean {
    if (field(status, NODE.linkCount) < 2) return false;
    const identity = nodeIdentity(status);
    const first = this.#linked.get(identity);
    if (first === undefined) {
      this.#linked.set(identity, path);
      return false;
    }
    const names = first.split('/');
    const firstName = names.pop() as string;
    const parent = this.#linkParents.directory(names);
    const present = this.#statusOf(target, name);
    if (present !== undefined) {
      if (nodeIdentity(present) === nodeIdentity(this.#native.statNode(parent, firstName))) return true;
      this.#native.removeNode(target, name, false);
    }
    this.#native.makeLink(parent, firstName, target, name);
    return true;
  }

  #isOfOtherType(target: number, name: string, type: number): boolean {
    const status = this.#statusOf(target, name);
    return status !== undefined && (field(status, NODE.mode) & constants.S_IFMT) !== type;
  }

  #removeOthers(target: number, names: ReadonlySet<string>): void {
    for (const name of this.#native.listNodes(target).names) {
      if (!names.has(name)) removeTree(target, name, { onStep: () => this.#options.onStep(0) });
    }
  }

  #statusOf(directory: number, name: string): Float64Array | undefined {
    try {
      return this.#native.statNode(directory, name);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  #requireUnchanged(before: Float64Array, after: Float64Array, path: string): void {
    if (!TIMES.every((index) => before[index] === after[index])) throw changed(path);
  }
}

function changed(path: string): DunnageError {
  const name = Buffer.from(path, 'latin1').toString('utf8');
  return new DunnageError('BUSY', `${name === '' ? 'the directory' : name} changed while it was copied`, {
    remedy: 'stop the tasks that write there, and try again: the copy goes on where it was',
  });
}

/** Preconditions: it is the innermost. */
function descriptorsOf({ source, target }: Frame): readonly [source: number, target: number] {
  return [source.descriptor as number, target.descriptor as number];
}

function closeFrame({ source, target }: Frame): void {
  for (const side of [source, target]) {
    if (side.descriptor !== undefined) closeSync(side.descriptor);
    side.descriptor = undefined;
  }
}
