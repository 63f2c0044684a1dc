/**
 * cp -a by descriptors, that goes on where an earlier attempt was interrupted: owners, modes, times to the nanosecond, extended attributes
 * (ACLs among them), hard links, holes, fifos, sockets and devices. Each directory gets its own attributes when all that is in it is there.
 *
 * What an earlier attempt left is compared with the source byte by byte and mended; what the source does not have is removed.
 */
import { closeSync, constants, fchmodSync } from 'node:fs';
import { DunnageError } from '../../errors/dunnage-error.ts';
import { loadNative } from '../../native/load.ts';
import { NODE, nodeIdentity } from '../../native/node-status.ts';
import { NAME_ONLY, READ_DIRECTORY } from '../../native/open-flags.ts';
import { systemCode } from '../../native/system-error.ts';
import { copyContent } from './copy-content.ts';
import { removeTree } from './remove-tree.ts';

const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const WRITE = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const TIMES = [NODE.sizeBytes, NODE.modifySeconds, NODE.modifyNanoseconds, NODE.changeSeconds, NODE.changeNanoseconds];

export interface CopyOptions {
  /** Called after each piece; throws to stop. */
  readonly onStep: (copiedBytes: number) => void;
}

/** Copies the content of the open directory `source` into the open directory `target`, and its attributes onto it. */
export function copyTree(source: number, target: number, options: CopyOptions): void {
  new TreeCopy(target, options).directory(source, target, '');
}

class TreeCopy {
  readonly #native = loadNative();
  readonly #target: number;
  readonly #options: CopyOptions;
  /** Where files with several names were copied to: by identity, the path beneath the target. */
  readonly #linked = new Map<string, string>();

  constructor(target: number, options: CopyOptions) {
    this.#target = target;
    this.#options = options;
  }

  directory(source: number, target: number, path: string): void {
    const before = this.#native.statNode(source, '');
    const { names, attributes } = this.#native.listNodes(source);
    this.#removeOthers(target, new Set(names));
    names.forEach((name, index) => {
      const status = attributes.slice(index * NODE.fields, (index + 1) * NODE.fields);
      this.#child(source, target, name, path === '' ? name : `${path}/${name}`, status);
      this.#options.onStep(0);
    });
    this.#requireUnchanged(before, this.#native.statNode(source, ''), path);
    this.#setAttributes(source, target, before, true);
  }

  #child(source: number, target: number, name: string, path: string, status: Float64Array): void {
    const type = field(status, NODE.mode) & constants.S_IFMT;
    if (this.#isOfOtherType(target, name, type)) removeTree(target, name, { onStep: () => this.#options.onStep(0) });
    if (type === constants.S_IFDIR) this.#subdirectory(source, target, name, path);
    else if (this.#isLinkToCopied(target, name, path, status)) return;
    else if (type === constants.S_IFREG) this.#file(source, target, name, path);
    else this.#special(source, target, name, status, type);
  }

  #subdirectory(source: number, target: number, name: string, path: string): void {
    const from = this.#native.openNode(source, name, READ_DIRECTORY, 0, true);
    try {
      if (this.#statusOf(target, name) === undefined) {
        this.#native.makeNode(target, name, constants.S_IFDIR | 0o700, 0, 0);
      }
      const to = this.#native.openNode(target, name, READ_DIRECTORY, 0, true);
      try {
        this.directory(from, to, path);
      } finally {
        closeSync(to);
      }
    } finally {
      closeSync(from);
    }
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
        this.#setAttributes(from, to, before, true);
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
      this.#setAttributes(from, to, status, false);
      this.#setTimes(target, name, status);
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
    const slash = first.lastIndexOf('/');
    const parent = this.#native.openNode(this.#target, first.slice(0, Math.max(slash, 0)), READ_DIRECTORY, 0, true);
    try {
      const firstName = first.slice(slash + 1);
      const present = this.#statusOf(target, name);
      if (present !== undefined) {
        if (nodeIdentity(present) === nodeIdentity(this.#native.statNode(parent, firstName))) return true;
        this.#native.removeNode(target, name, false);
      }
      this.#native.makeLink(parent, firstName, target, name);
    } finally {
      closeSync(parent);
    }
    return true;
  }

  /** Times are the last: everything before changes them. Of a link they are set by its name. */
  #setAttributes(from: number, to: number, status: Float64Array, isOpen: boolean): void {
    if (process.geteuid?.() === 0) {
      this.#native.setOwner(to, '', field(status, NODE.userId), field(status, NODE.groupId));
    }
    if (isOpen) fchmodSync(to, field(status, NODE.mode) & 0o7777);
    this.#setXattrs(from, to);
    if (isOpen) this.#setTimes(to, '', status);
  }

  #setTimes(directory: number, name: string, status: Float64Array): void {
    this.#native.setTimes(
      directory,
      name,
      field(status, NODE.accessSeconds),
      field(status, NODE.accessNanoseconds),
      field(status, NODE.modifySeconds),
      field(status, NODE.modifyNanoseconds),
    );
  }

  #setXattrs(from: number, to: number): void {
    const wanted = new Set(this.#native.listXattrs(from));
    for (const name of this.#native.listXattrs(to)) {
      if (!wanted.has(name)) this.#native.removeXattr(to, name);
    }
    for (const name of wanted) this.#native.setXattr(to, name, this.#native.getXattr(from, name));
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
    if (TIMES.every((index) => before[index] === after[index])) return;
    const name = Buffer.from(path, 'latin1').toString('utf8');
    throw new DunnageError('BUSY', `${name === '' ? 'the directory' : name} changed while it was copied`, {
      remedy: 'stop the tasks that write there, and try again: the copy goes on where it was',
    });
  }
}

function field(status: Float64Array, index: number): number {
  return status[index] ?? 0;
}
