/**
 * Walks from the root of an alloc to what a request names, one component at a time, each opened from the descriptor of its directory
 * and shown to the guard before anything is done with it. Links are read and their text walked in the same way; `..` in it goes back
 * to a directory that was passed and is still open. So nothing that tenants rename or plant meanwhile leads out of the root, or past
 * the guard.
 */
import { closeSync, readFileSync, readlinkSync } from 'node:fs';
import { DunnageError } from '../../errors/dunnage-error.ts';
import { systemCode } from '../../native/system-error.ts';
import { escapes, namesOf, requestedNames } from './escapes.ts';
import { identityOf, inDirectory, type OpenObject, openName, openRoot } from './open-object.ts';
import { type GuardView, prohibited, type SecretGuard } from './secret-guard.ts';

/** As many as the kernel follows. */
const LINKS_MAX = 40;
/** Of the request and of all links on the way together: the texts of links are the tenant's, and each name costs system calls. */
const NAMES_MAX = 4096;

/** A name that was looked up in a directory on the way. */
export interface Step {
  readonly directory: OpenObject;
  readonly name: string;
}

/** Where a walk came to. Its descriptors are valid until `close`. */
export interface Walked {
  /** Undefined if there is nothing. */
  readonly found: OpenObject | undefined;
  /**
   * Every name that was looked up, in order, also those that led astray: to change any of them may change the outcome.
   * None unless they were asked for: they keep every directory on the way open.
   */
  readonly steps: readonly Step[];
  /** Two walks with the same came the same way to the same end. */
  readonly key: string;
  close(): void;
}

export interface WalkOptions {
  /** Default: true. Without, a link is nothing. */
  readonly followLinks?: boolean;
  /** Default: false. */
  readonly withSteps?: boolean;
}

/**
 * @throws DunnageError INVALID_PATH (`Path escapes the alloc directory`, or too long a way), PERMISSION_DENIED (`Reading secret file prohibited: <path>`),
 * and what the system says. That there is nothing is no error.
 */
export function walkAlloc(root: string, path: string, guard: SecretGuard, options: WalkOptions = {}): Walked {
  const names = requestedNames(path);
  const refusal = guard.byName(names);
  if (refusal !== undefined) throw prohibited(refusal, path);
  const walk = new Walk(root, path, guard, options);
  try {
    return walk.to(names);
  } catch (error) {
    walk.close();
    throw error;
  }
}

class Walk {
  readonly #root: OpenObject;
  readonly #path: string;
  readonly #guard: GuardView;
  readonly #followLinks: boolean;
  readonly #withSteps: boolean;
  readonly #opened: Set<OpenObject>;
  readonly #steps: Step[] = [];
  readonly #keys: string[] = [];
  #names = 0;
  #links = 0;

  constructor(root: string, path: string, guard: SecretGuard, options: WalkOptions) {
    this.#root = openRoot(root);
    this.#opened = new Set([this.#root]);
    this.#path = path;
    this.#followLinks = options.followLinks ?? true;
    this.#withSteps = options.withSteps ?? false;
    try {
      this.#guard = guard.look(this.#root);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  to(names: readonly string[]): Walked {
    const ahead = [...names];
    // The directories from the root to here.
    const stack = [this.#root];
    for (let name = ahead.shift(); name !== undefined; name = ahead.shift()) {
      this.#names += 1;
      if (this.#names > NAMES_MAX) throw new DunnageError('INVALID_PATH', `too many names on the way: ${this.#path}`);
      if (name === '..') {
        if (stack.length === 1) throw escapes();
        this.#leave(stack.pop() as OpenObject);
        continue;
      }
      const here = stack.at(-1) as OpenObject;
      if (!here.stats.isDirectory()) return this.#end(undefined);
      const next = this.#open(here, name);
      if (next === undefined) return this.#end(undefined);
      if (!next.stats.isSymbolicLink()) {
        stack.push(next);
        continue;
      }
      this.#close(next);
      if (!this.#followLinks) return this.#end(undefined);
      ahead.unshift(...this.#linkText(here, name));
    }
    return this.#end(stack.at(-1));
  }

  close(): void {
    for (const object of this.#opened) this.#close(object);
  }

  /** A step that was taken in it may still be asked for. */
  #leave(object: OpenObject): void {
    if (!this.#withSteps) this.#close(object);
  }

  #close(object: OpenObject): void {
    this.#opened.delete(object);
    closeSync(object.descriptor);
  }

  #end(found: OpenObject | undefined): Walked {
    return {
      found,
      steps: this.#steps,
      key: [...this.#keys, found === undefined ? '' : identityOf(found.stats)].join('\n'),
      close: () => this.close(),
    };
  }

  #open(directory: OpenObject, name: string): OpenObject | undefined {
    this.#keys.push(`${identityOf(directory.stats)}/${name}`);
    if (this.#withSteps) this.#steps.push({ directory, name });
    let next: OpenObject;
    try {
      next = openName(directory.descriptor, name);
    } catch (error) {
      const code = systemCode(error);
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
      throw error;
    }
    this.#opened.add(next);
    const isMountPoint = this.#guard.watchesMounts && mountOf(next.descriptor) !== mountOf(directory.descriptor);
    const refusal = this.#guard.byObject(next.stats, isMountPoint);
    if (refusal !== undefined) throw prohibited(refusal, this.#path);
    return next;
  }

  #linkText(directory: OpenObject, name: string): string[] {
    this.#links += 1;
    if (this.#links > LINKS_MAX) {
      throw new DunnageError('INVALID_PATH', `too many symbolic links: ${this.#path}`);
    }
    let text: string;
    try {
      text = readlinkSync(inDirectory(directory.descriptor, name));
    } catch (error) {
      // It is no link any more: what it is now is looked up again, as a link that was followed.
      if (['EINVAL', 'ENOENT'].includes(systemCode(error) ?? '')) return [name];
      throw error;
    }
    // Also one that points to a place inside: what it means differs between here and the container.
    if (text.startsWith('/')) throw escapes();
    return namesOf(text);
  }
}

/** Number of the mount that an open object was reached through. */
function mountOf(descriptor: number): string | undefined {
  return /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'latin1'))?.[1];
}
