/**
 * Reading a directory of the host with everything below it, from one open descriptor: nothing outside is reached, whatever
 * links lie in it.
 *
 * A directory with a link `..data` is what an atomic writer made: then the link is followed once and only the generation it
 * names is read; if it names another one afterwards, the reading is repeated. In other directories a change of names
 * during the reading repeats it.
 */
import type { BigIntStats } from 'node:fs';
import { constants as flags } from 'node:fs';
import { readdir, readlink } from 'node:fs/promises';
import { limits } from '../../base/limits.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import { loadNative } from '../../native/load.ts';
import { errnoOf, unless } from '../beneath.ts';
import { DATA_LINK } from '../layout.ts';
import { shown } from '../path-rules.ts';
import {
  close,
  type HostFile,
  isSame,
  NAME_ONLY,
  type ReadOptions,
  readHostFile,
  status,
  Unsettled,
} from './host-file.ts';

export interface TreeOptions extends ReadOptions {
  /** `dev` of file systems that must not be read: our own. */
  readonly ownDevices: ReadonlySet<bigint>;
}

export interface HostTree {
  readonly files: ReadonlyMap<string, HostFile>;
  readonly warnings: readonly string[];
}

/** Opens a directory by its path for `readHostTree`. */
export const OPEN_ROOT: number = NAME_ONLY | flags.O_DIRECTORY;

/** Entries that may be looked at, read or not: a bound for a directory that was not meant. */
const ENTRIES_MAX = 2 * limits.payloadFilesMax;
/** Such names at the top of a directory belong to its atomic writer. */
const RESERVED = '..';

/** @throws Unsettled; DunnageError PERMISSION_DENIED (a link that leads out), INVALID_ARGUMENT (our own mount), TOO_LARGE. */
export async function readHostTree(root: number, options: TreeOptions): Promise<HostTree> {
  const walk = new TreeWalk(options);
  try {
    await walk.directory({ base: root, inBase: '', path: '' }, []);
    await walk.verify();
    return { files: walk.files, warnings: walk.warnings };
  } finally {
    await walk.close();
  }
}

/** A name below an open directory that links cannot leave. */
interface Place {
  readonly base: number;
  /** Relative to the base; '' for itself. */
  readonly inBase: string;
  /** Relative to the root of the source. */
  readonly path: string;
}

class TreeWalk {
  readonly files = new Map<string, HostFile>();
  readonly warnings: string[] = [];
  readonly #options: TreeOptions;
  readonly #generations: number[] = [];
  readonly #checks: (() => Promise<boolean>)[] = [];
  #entries = 0;

  constructor(options: TreeOptions) {
    this.#options = options;
  }

  /** `ancestors`: the directories above, so that a link back up does not lead round for ever. */
  async directory(place: Place, ancestors: readonly BigIntStats[]): Promise<void> {
    const descriptor = this.#open(place, OPEN_ROOT);
    if (descriptor === undefined) return;
    try {
      const before = await status(descriptor);
      this.#refuseOwn(before, place);
      if (ancestors.some(({ dev, ino }) => dev === before.dev && ino === before.ino)) {
        this.#leaveOut(place, 'the link leads back up');
        return;
      }
      const above = [...ancestors, before];
      const published = await publishedName(descriptor);
      if (published !== undefined && (await this.#generation(descriptor, place, published, above))) return;
      await this.#list(descriptor, place, above);
      this.#checks.push(() => this.#isUnchanged(place, before));
    } finally {
      await close(descriptor);
    }
  }

  async #list(descriptor: number, place: Place, ancestors: readonly BigIntStats[]): Promise<void> {
    const names = await readdir(`/proc/self/fd/${descriptor}`);
    this.#entries += names.length;
    if (this.#entries > ENTRIES_MAX) {
      throw new DunnageError('TOO_LARGE', `it holds more than ${ENTRIES_MAX} entries`, {
        remedy: 'name a directory further down',
      });
    }
    for (const name of names.sort()) {
      const entry = { base: place.base, inBase: join(place.inBase, name), path: join(place.path, name) };
      if (name.startsWith(RESERVED)) this.#leaveOut(entry, 'names that begin with ".." belong to atomic writers');
      else await this.#entry(entry, ancestors);
    }
  }

  /** Reads what `..data` names, from the one descriptor that it was resolved to. False if that is no directory. */
  async #generation(
    parent: number,
    place: Place,
    published: string,
    ancestors: readonly BigIntStats[],
  ): Promise<boolean> {
    const link = { base: place.base, inBase: join(place.inBase, DATA_LINK), path: join(place.path, DATA_LINK) };
    const inner = this.#open(link, NAME_ONLY);
    if (inner === undefined) return false;
    this.#generations.push(inner);
    if (!(await status(inner)).isDirectory()) return false;
    await this.directory({ base: inner, inBase: '', path: place.path }, ancestors);
    // At once, while the parent is open: what was read until now is one generation if the link still names it.
    if ((await publishedName(parent)) !== published) throw new Unsettled('another generation was published');
    return true;
  }

  async #entry(place: Place, ancestors: readonly BigIntStats[]): Promise<void> {
    const descriptor = this.#open(place, NAME_ONLY);
    if (descriptor === undefined) return;
    let isDirectory: boolean;
    try {
      const found = await status(descriptor);
      isDirectory = found.isDirectory();
      if (found.isFile()) await this.#file(descriptor, found, place);
      else if (!isDirectory) this.#leaveOut(place, 'it is no regular file');
    } finally {
      await close(descriptor);
    }
    if (isDirectory) await this.directory(place, ancestors);
  }

  async #file(descriptor: number, found: BigIntStats, place: Place): Promise<void> {
    this.#refuseOwn(found, place);
    this.files.set(place.path, await readHostFile(descriptor, place.path, this.#options));
    if (this.files.size <= limits.payloadFilesMax) return;
    throw new DunnageError('TOO_LARGE', `it holds more than ${limits.payloadFilesMax} files`, {
      remedy: 'name a directory further down, or choose what is needed with items',
    });
  }

  /** Opens without doing anything to what is named. Undefined if there is nothing to read behind it. */
  #open(place: Place, openFlags: number): number | undefined {
    try {
      return loadNative().openBeneath(place.base, place.inBase, openFlags, 0, true);
    } catch (error) {
      switch (errnoOf(error)) {
        case 'ENOENT':
        case 'ENOTDIR':
          this.#leaveOut(place, place.path.includes('\ufffd') ? 'its name is not UTF-8' : 'the link leads nowhere');
          return undefined;
        case 'ELOOP':
          this.#leaveOut(place, 'its links lead in a circle');
          return undefined;
        case 'EXDEV':
          throw new DunnageError('PERMISSION_DENIED', `the link ${shown(place.path)} leads out of the directory`, {
            remedy: 'replace the link by what it names, or name that as a source of its own',
          });
        default:
          throw error;
      }
    }
  }

  #leaveOut(place: Place, reason: string): void {
    this.warnings.push(`${shown(place.path)} is left out: ${reason}`);
  }

  #refuseOwn({ dev }: BigIntStats, place: Place): void {
    if (this.#options.ownDevices.has(dev)) throw ownMount(place.path === '' ? 'it' : shown(place.path));
  }

  async #isUnchanged(place: Place, before: BigIntStats): Promise<boolean> {
    const descriptor = this.#open(place, OPEN_ROOT);
    if (descriptor === undefined) return false;
    try {
      return isSame(before, await status(descriptor));
    } finally {
      await close(descriptor);
    }
  }

  /** @throws Unsettled */
  async verify(): Promise<void> {
    for (const check of this.#checks) {
      if (!(await check())) throw new Unsettled('the directory changes while it is read');
    }
  }

  async close(): Promise<void> {
    for (const descriptor of this.#generations.splice(0)) await close(descriptor);
  }
}

/** What `..data` of a directory names; undefined if there is no such link. */
function publishedName(directory: number): Promise<string | undefined> {
  return unless(['ENOENT', 'EINVAL'], () => readlink(`/proc/self/fd/${directory}/${DATA_LINK}`));
}

function join(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}

export function ownMount(what: string): DunnageError {
  return new DunnageError('INVALID_ARGUMENT', `${what} lies in the tree of dunnage itself`, {
    remedy: 'use a projection, configMap or secret source: it follows every swap without going through the mount',
  });
}
