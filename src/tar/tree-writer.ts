/**
 * Unpacks entries below a directory, and nowhere else: every step is taken from the descriptor of a directory without following
 * a link, and what stands where an entry belongs is removed first, never written through. All calls are synchronous: meant for a worker thread.
 *
 * Order of a file: made empty, written, owner, mode, extended attributes, times. Modes and times of directories are set at the end, by
 * `finish`, because what is made in them changes the times, and a mode may forbid it.
 */
import { closeSync, constants, ftruncateSync, writeSync } from 'node:fs';
import { type ByteText, readableText } from '../base/byte-text.ts';
import { DunnageError, fromSystemError } from '../errors/dunnage-error.ts';
import type { NativeBinding } from '../native/binding.ts';
import { NODE } from '../native/node-status.ts';
import { NAME_ONLY } from '../native/open-flags.ts';
import { systemCode } from '../native/system-error.ts';
import { applyAttributes, applyTimes, type UnpackRights } from './apply-attributes.ts';
import type { TarEntry } from './entry.ts';
import { type EntryPath, entryPath, pathText } from './entry-path.ts';
import { OpenParents } from './open-parents.ts';

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
/** Of directories that no entry describes. */
const MISSING_DIRECTORY_MODE = 0o755;
const WORK_MODE = 0o700;
const { S_IFMT, S_IFDIR, S_IFIFO, S_IFCHR, S_IFBLK } = constants;

export interface TreeWriterOptions extends UnpackRights {
  /** `refuse`: an archive with a device is an error. */
  readonly devices: 'make' | 'refuse';
}

/** What became of an archive. */
export interface UnpackReport {
  entries: number;
  bytes: number;
  /** Extended attributes that this user or file system cannot keep. */
  lostXattrs: number;
}

interface OpenFile {
  readonly entry: TarEntry;
  readonly descriptor: number;
  written: number;
}

interface WrittenDirectory {
  readonly path: EntryPath;
  readonly entry: TarEntry;
}

export class TreeWriter {
  readonly report: UnpackReport = { entries: 0, bytes: 0, lostXattrs: 0 };
  readonly #native: NativeBinding;
  readonly #options: TreeWriterOptions;
  readonly #parents: OpenParents;
  /** Of hard links: so that the directory of an entry stays open. */
  readonly #linkParents: OpenParents;
  readonly #directories = new Map<ByteText, WrittenDirectory>();
  readonly #lost = { xattrs: 0 };
  #file: OpenFile | undefined;

  /** `root`: the opened directory; it stays the caller's. */
  constructor(native: NativeBinding, root: number, options: TreeWriterOptions) {
    this.#native = native;
    this.#options = options;
    this.#parents = new OpenParents(native, root);
    this.#linkParents = new OpenParents(native, root);
  }

  /**
   * Makes what the entry describes. Content of a file follows by `write`, then `end`.
   * @throws DunnageError INVALID_ARGUMENT if its name leads outside or through something that is no directory.
   */
  begin(entry: TarEntry): void {
    const path = entryPath(entry.name);
    if (path === undefined) throw refused(entry, 'its name leads outside');
    this.report.entries += 1;
    try {
      this.#make(entry, path);
    } catch (error) {
      throw explained(error, entry);
    }
  }

  write(bytes: Uint8Array, offset: number): void {
    const file = this.#file;
    if (file === undefined) return;
    try {
      for (let done = 0; done < bytes.length; )
        done += writeSync(file.descriptor, bytes, done, bytes.length - done, offset + done);
    } catch (error) {
      throw explained(error, file.entry);
    }
    file.written = offset + bytes.length;
    this.report.bytes += bytes.length;
  }

  end(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    const { descriptor, entry } = file;
    try {
      // A hole at the end.
      if (file.written < entry.sizeBytes) ftruncateSync(descriptor, entry.sizeBytes);
      applyAttributes(this.#native, { descriptor, kind: 'open' }, entry, this.#options, this.#lost);
      applyTimes(this.#native, descriptor, '', entry);
    } catch (error) {
      throw explained(error, entry);
    } finally {
      closeSync(descriptor);
    }
  }

  /** Gives the directories what their entries say; the innermost first. */
  finish(): void {
    const deepestFirst = [...this.#directories.values()].sort((a, b) => b.path.parents.length - a.path.parents.length);
    for (const { path, entry } of deepestFirst) {
      try {
        const directory = this.#parents.directory(path.name === '' ? [] : [...path.parents, path.name]);
        applyAttributes(this.#native, { descriptor: directory, kind: 'open' }, entry, this.#options, this.#lost);
        applyTimes(this.#native, directory, '', entry);
      } catch (error) {
        throw explained(error, entry);
      }
    }
    this.report.lostXattrs = this.#lost.xattrs;
  }

  /** Frees what is open; what was written stays. To be called in any case. */
  close(): void {
    if (this.#file !== undefined) closeSync(this.#file.descriptor);
    this.#file = undefined;
    this.#parents.close();
    this.#linkParents.close();
  }

  #make(entry: TarEntry, path: EntryPath): void {
    if (path.name === '') {
      if (entry.type !== 'directory') throw refused(entry, 'it has the place of the whole directory');
      this.#directories.set('' as ByteText, { path, entry });
      return;
    }
    const parent = this.#parents.directory(path.parents, MISSING_DIRECTORY_MODE);
    if (entry.type === 'directory') {
      this.#makeDirectory(entry, path, parent);
      return;
    }
    if (entry.type === 'hard-link') {
      this.#makeHardLink(entry, path, parent);
      return;
    }
    this.#clear(entry, parent, path.name);
    if (entry.type === 'file') {
      const descriptor = this.#native.openNode(parent, path.name, CREATE, 0o600, true);
      this.#file = { entry, descriptor, written: 0 };
      return;
    }
    if (entry.type === 'symlink') this.#native.makeSymlink(entry.linkName, parent, path.name);
    else this.#makeSpecial(entry, parent, path.name);
    this.#describe(entry, parent, path.name);
  }

  #makeDirectory(entry: TarEntry, path: EntryPath, parent: number): void {
    if (!this.#isDirectory(parent, path.name)) {
      this.#clear(entry, parent, path.name);
      this.#native.makeNode(parent, path.name, S_IFDIR | WORK_MODE, 0, 0);
    }
    this.#directories.set(pathText(path), { path, entry });
  }

  #makeHardLink(entry: TarEntry, path: EntryPath, parent: number): void {
    const target = entryPath(entry.linkName);
    if (target === undefined || target.name === '') throw refused(entry, 'it is a hard link that leads outside');
    if (pathText(target) === pathText(path)) return;
    const from = this.#linkParents.directory(target.parents);
    if (this.#isDirectory(from, target.name)) throw refused(entry, 'it is a hard link to a directory');
    this.#clear(entry, parent, path.name);
    this.#native.makeLink(from, target.name, parent, path.name);
  }

  #makeSpecial(entry: TarEntry, parent: number, name: string): void {
    if (entry.type === 'fifo') {
      this.#native.makeNode(parent, name, S_IFIFO | WORK_MODE, 0, 0);
      return;
    }
    if (this.#options.devices === 'refuse') throw refused(entry, 'it is a device, and none is taken here');
    const kind = entry.type === 'block-device' ? S_IFBLK : S_IFCHR;
    this.#native.makeNode(parent, name, kind | WORK_MODE, entry.deviceMajor, entry.deviceMinor);
  }

  #describe(entry: TarEntry, parent: number, name: string): void {
    const descriptor = this.#native.openNode(parent, name, NAME_ONLY, 0, true);
    try {
      applyAttributes(this.#native, { descriptor, kind: 'path' }, entry, this.#options, this.#lost);
    } finally {
      closeSync(descriptor);
    }
    applyTimes(this.#native, parent, name, entry);
  }

  #isDirectory(parent: number, name: string): boolean {
    try {
      return ((this.#native.statNode(parent, name)[NODE.mode] ?? 0) & S_IFMT) === S_IFDIR;
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return false;
      throw error;
    }
  }

  /** Takes away what has the name, unless it is a directory. */
  #clear(entry: TarEntry, parent: number, name: string): void {
    try {
      this.#native.removeNode(parent, name, false);
    } catch (error) {
      const code = systemCode(error);
      if (code === 'EISDIR' || code === 'EPERM') throw refused(entry, 'there is a directory of that name');
      if (code !== 'ENOENT') throw error;
    }
  }
}

function refused({ name }: TarEntry, reason: string): DunnageError {
  return new DunnageError('INVALID_ARGUMENT', `cannot unpack "${readableText(name)}": ${reason}`);
}

/** What a system call says of a place in an archive, in words that name the entry. */
function explained(error: unknown, entry: TarEntry): DunnageError {
  const code = systemCode(error);
  if (code === 'ELOOP' || code === 'ENOTDIR')
    return refused(entry, 'something on the way is a link or a file, and no directory');
  if (code === 'EXDEV') return refused(entry, 'another file system is mounted on the way');
  const name = readableText(entry.name);
  if (code === 'ENOENT' && entry.type === 'hard-link')
    return refused(entry, `it is a hard link to "${readableText(entry.linkName)}", which is not there`);
  if (code === 'ENAMETOOLONG')
    return new DunnageError('NAME_TOO_LONG', `cannot unpack "${name.slice(0, 200)}": a name is too long`);
  return fromSystemError(error, `cannot unpack "${name}"`);
}
