/**
 * openat2(2) with RESOLVE_BENEATH, imitated where the addon is missing: the path is walked one component at a time, each
 * opened from the descriptor of its directory and never following a link. A link is read and its text walked in the same way;
 * `..` goes back to a directory that was passed and is still open. So a rename or a link planted meanwhile leads nowhere
 * that was not beneath when it was passed.
 */
import { closeSync, constants, fstatSync, openSync, readlinkSync } from 'node:fs';
import { NAME_DIRECTORY, O_PATH } from './open-flags.ts';
import { systemCode, systemError } from './system-error.ts';

/** As many as the kernel follows. */
const LINKS_MAX = 40;

/** The same contract as `NativeBinding.openBeneath`. */
export function walkBeneath(
  directory: number,
  path: string,
  flags: number,
  mode: number,
  followLinks: boolean,
): number {
  const walk = new Walk(directory, path, followLinks);
  try {
    return walk.open(flags, mode);
  } finally {
    walk.close();
  }
}

class Walk {
  readonly #path: string;
  readonly #followLinks: boolean;
  /** The directories passed so far; the first is the caller's. */
  readonly #passed: number[];
  readonly #ahead: string[];
  #links = 0;

  constructor(directory: number, path: string, followLinks: boolean) {
    this.#path = path;
    this.#followLinks = followLinks;
    this.#passed = [directory];
    this.#ahead = this.#split(path);
  }

  open(flags: number, mode: number): number {
    for (;;) {
      const name = this.#ahead.shift();
      if (name === undefined) return openSync(this.#at('.'), flags, mode);
      if (name === '..') this.#goBack();
      else if (this.#ahead.length > 0) this.#enter(name);
      else {
        const descriptor = this.#openLast(name, flags, mode);
        if (descriptor !== undefined) return descriptor;
      }
    }
  }

  close(): void {
    for (const descriptor of this.#passed.splice(1)) closeSync(descriptor);
  }

  #split(text: string): string[] {
    if (text.startsWith('/')) throw this.#error('EXDEV', 'the path leaves the directory');
    const names = text.split('/').filter((name) => name !== '' && name !== '.');
    // What a slash follows must be a directory: `.` in it is opened last.
    return /\/\.?$/.test(text) && names.length > 0 ? [...names, '.'] : names;
  }

  #goBack(): void {
    if (this.#passed.length === 1) throw this.#error('EXDEV', 'the path leaves the directory');
    closeSync(this.#passed.pop() as number);
  }

  #enter(name: string): void {
    if (name === '.') return;
    try {
      this.#passed.push(openSync(this.#at(name), NAME_DIRECTORY));
    } catch (error) {
      if (systemCode(error) !== 'ENOTDIR' || !this.#follow(name)) throw error;
    }
  }

  /** Undefined if it is a link, whose text is ahead now. */
  #openLast(name: string, flags: number, mode: number): number | undefined {
    const mayFollow = (flags & constants.O_NOFOLLOW) === 0;
    let descriptor: number;
    try {
      descriptor = openSync(this.#at(name), flags | constants.O_NOFOLLOW, mode);
    } catch (error) {
      const code = systemCode(error);
      if (mayFollow && (code === 'ELOOP' || code === 'ENOTDIR') && this.#follow(name)) return undefined;
      throw error;
    }
    if ((flags & O_PATH) === 0 || !mayFollow || !fstatSync(descriptor).isSymbolicLink()) return descriptor;
    closeSync(descriptor);
    this.#follow(name);
    return undefined;
  }

  /** Puts the text of a link ahead; false if the name is no link. */
  #follow(name: string): boolean {
    let text: string;
    try {
      text = readlinkSync(this.#at(name));
    } catch (error) {
      if (systemCode(error) === 'EINVAL') return false;
      throw error;
    }
    this.#links += 1;
    if (!this.#followLinks || this.#links > LINKS_MAX) throw this.#error('ELOOP', 'too many symbolic links');
    this.#ahead.unshift(...this.#split(text));
    return true;
  }

  #at(name: string): string {
    return `/proc/self/fd/${this.#passed.at(-1)}/${name}`;
  }

  #error(code: string, reason: string): Error {
    return systemError(code, 'openat2', this.#path, reason);
  }
}
