/**
 * The directories that entries lie in, opened beneath a root one name at a time and without following links, and made where they are
 * missing. The last one stays open with those above it: entries mostly come directory by directory.
 */
import { closeSync, constants, fchmodSync } from 'node:fs';
import type { NativeBinding } from '../native/binding.ts';
import { READ_DIRECTORY } from '../native/open-flags.ts';
import { systemCode } from '../native/system-error.ts';

/** Kept open at the same time; deeper ones are opened again from there. */
const OPEN_MAX = 64;

export interface OpenDirectory {
  readonly descriptor: number;
  readonly name: string;
}

export class OpenParents {
  readonly #native: NativeBinding;
  readonly #root: number;
  readonly #mayCross: boolean;
  /** Open from the root downwards, each in the one before. */
  #open: OpenDirectory[] = [];
  /** The one that was asked for, if it is deeper than what is kept open. */
  #deep: { readonly path: string; readonly descriptor: number } | undefined;

  constructor(native: NativeBinding, root: number, mayCross = false) {
    this.#native = native;
    this.#root = root;
    this.#mayCross = mayCross;
  }

  /**
   * The descriptor of the directory of these names; valid until the next call. Those that are missing are made with `missingMode`, or are ENOENT
   * without it. ELOOP or ENOTDIR if there is something else on the way, EXDEV if a mount is.
   */
  directory(names: readonly string[], missingMode?: number): number {
    const kept = Math.min(names.length, OPEN_MAX);
    let same = 0;
    while (same < kept && same < this.#open.length && this.#open[same]?.name === names[same]) same += 1;
    this.#closeFrom(same);
    let descriptor = this.#open.at(-1)?.descriptor ?? this.#root;
    for (let index = same; index < kept; index += 1) {
      const name = names[index] as string;
      descriptor = this.#enter(descriptor, name, missingMode);
      this.#open.push({ descriptor, name });
    }
    return names.length > OPEN_MAX ? this.#beyond(descriptor, names.slice(OPEN_MAX), missingMode) : descriptor;
  }

  close(): void {
    this.#closeFrom(0);
  }

  #beyond(from: number, names: readonly string[], missingMode: number | undefined): number {
    const path = names.join('/');
    let descriptor = from;
    let ahead = names;
    const deep = this.#deep;
    // One step further down is what comes next in a deep tree.
    if (deep !== undefined && (path === deep.path || path.startsWith(`${deep.path}/`))) {
      descriptor = deep.descriptor;
      ahead = path === deep.path ? [] : path.slice(deep.path.length + 1).split('/');
      this.#deep = undefined;
    } else this.#closeDeep();
    for (const name of ahead) {
      const next = this.#enterAndClose(descriptor, name, missingMode, descriptor !== from);
      descriptor = next;
    }
    this.#deep = { path, descriptor };
    return descriptor;
  }

  #enterAndClose(descriptor: number, name: string, missingMode: number | undefined, closes: boolean): number {
    try {
      return this.#enter(descriptor, name, missingMode);
    } finally {
      if (closes) closeSync(descriptor);
    }
  }

  #enter(directory: number, name: string, missingMode: number | undefined): number {
    try {
      return this.#native.openNode(directory, name, READ_DIRECTORY, 0, !this.#mayCross);
    } catch (error) {
      if (missingMode === undefined || systemCode(error) !== 'ENOENT') throw error;
    }
    this.#native.makeNode(directory, name, constants.S_IFDIR | 0o700, 0, 0);
    const made = this.#native.openNode(directory, name, READ_DIRECTORY, 0, !this.#mayCross);
    try {
      // The umask has no say.
      fchmodSync(made, missingMode);
    } catch (error) {
      closeSync(made);
      throw error;
    }
    return made;
  }

  #closeFrom(index: number): void {
    if (index < Math.min(this.#open.length, OPEN_MAX)) this.#closeDeep();
    for (const { descriptor } of this.#open.splice(index)) closeSync(descriptor);
  }

  #closeDeep(): void {
    if (this.#deep !== undefined) closeSync(this.#deep.descriptor);
    this.#deep = undefined;
  }
}
