/**
 * Keeps the file API out of `<task>/secrets` and `<task>/private`, whatever they are called on the way there.
 *
 * What is refused is the object: the directory itself (so that no link, rename or other spelling leads into it), everything on its
 * file system if it has one of its own (a tmpfs, wherever it is bound), and, if it lies on the disk of the alloc, what is
 * in it under another name: a hard link, or a bind mount of a part of it. What was seen once stays known. By name they are refused
 * too, also where nothing is there, and without regard to case.
 */
import { type BigIntStats, closeSync, lstatSync, opendirSync } from 'node:fs';
import { byteText } from '../../base/byte-text.ts';
import { limits } from '../../base/limits.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import { loadNative } from '../../native/load.ts';
import { statsIdentity } from '../../native/node-status.ts';
import { systemCode } from '../../native/system-error.ts';
import { visitSecrets } from '../secret-nodes.ts';
import { isBelowIgnoringCase } from './escapes.ts';
import { identityOf, inDirectory, type OpenObject, openName, reopen } from './open-object.ts';

export type GuardedKind = 'secret' | 'private';

export interface Guarded {
  readonly task: string;
  readonly kind: GuardedKind;
}

/** A directory of secrets at an absolute path, e.g. where its tmpfs is mounted in the runtime directory. */
export interface GuardedPath extends Guarded {
  readonly path: string;
}

export interface SecretGuardOptions {
  readonly tasks: () => readonly string[];
  /** Besides `<task>/secrets` and `<task>/private` of the alloc. */
  readonly guarded?: () => readonly GuardedPath[];
}

const NAMES: readonly (readonly [name: string, kind: GuardedKind])[] = [
  ['secrets', 'secret'],
  ['private', 'private'],
];
/** More entries than that are not looked through for a hard link: it is refused then. */
const ENTRIES_MAX = 10_000;

/** What has been seen, for as long as the alloc is served. */
interface Known {
  readonly objects: Map<string, Guarded>;
  readonly fileSystems: Map<bigint, Guarded>;
}

export class SecretGuard {
  readonly #options: SecretGuardOptions;
  readonly #known: Known = { objects: new Map(), fileSystems: new Map() };

  constructor(options: SecretGuardOptions) {
    this.#options = options;
  }

  /** Refuses by the text of a request alone. */
  byName(names: readonly string[]): Guarded | undefined {
    const path = names.join('/');
    for (const task of this.#options.tasks()) {
      const row = NAMES.find(([name]) => isBelowIgnoringCase(path, `${task}/${name}`));
      if (row !== undefined) return { task, kind: row[1] };
    }
    return undefined;
  }

  /** Looks which directories are to be guarded now. `root`: the alloc's directory, open for as long as the answer is used. */
  look({ descriptor, stats }: OpenObject): GuardView {
    const onDisk: OnDisk[] = [];
    for (const task of this.#options.tasks()) {
      for (const [name, kind] of NAMES) {
        const path = `${task}/${name}`;
        const found = statsBeneath(descriptor, path);
        if (found === undefined) continue;
        this.#remember(found, stats.dev, { task, kind });
        if (found.dev === stats.dev) onDisk.push({ task, kind, path });
      }
    }
    for (const { path, ...guarded } of this.#options.guarded?.() ?? []) {
      const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
      if (found !== undefined) this.#remember(found, stats.dev, guarded);
    }
    const filled = onDisk.filter(({ path }) => hasEntries(descriptor, path));
    return new GuardView(this.#known, descriptor, filled);
  }

  #remember(found: BigIntStats, allocDev: bigint, guarded: Guarded): void {
    this.#known.objects.set(identityOf(found), guarded);
    if (found.dev !== allocDev) this.#known.fileSystems.set(found.dev, guarded);
  }
}

/** A directory of secrets on the disk of the alloc that holds something. */
interface OnDisk extends Guarded {
  readonly path: string;
}

/** Judges objects during one walk. */
export class GuardView {
  readonly #known: Known;
  readonly #root: number;
  readonly #onDisk: readonly OnDisk[];

  constructor(known: Known, root: number, onDisk: readonly OnDisk[]) {
    this.#known = known;
    this.#root = root;
    this.#onDisk = onDisk;
  }

  /** Edges of mounts have to be told to `byObject`. */
  get watchesMounts(): boolean {
    return this.#onDisk.length > 0;
  }

  /** `isMountPoint`: it was reached over the edge of a mount. */
  byObject(stats: BigIntStats, isMountPoint = false): Guarded | undefined {
    const known = this.#known.fileSystems.get(stats.dev) ?? this.#known.objects.get(identityOf(stats));
    if (known !== undefined) return known;
    // Also a file with one link: the name that led here may be gone since.
    return stats.isFile() || isMountPoint ? this.#holderOf(statsIdentity(stats)) : undefined;
  }

  /** Which directory of secrets has that object in it. */
  #holderOf(identity: string): Guarded | undefined {
    const holder = this.#onDisk.find(({ path }) => mayHold(this.#root, path, identity));
    return holder && { task: holder.task, kind: holder.kind };
  }
}

/** The message of the reference; the path is the one that was asked for. */
export function prohibited({ kind }: Guarded, path: string): DunnageError {
  return new DunnageError('PERMISSION_DENIED', `Reading ${kind} file prohibited: ${path}`);
}

function statsBeneath(root: number, path: string): BigIntStats | undefined {
  const found = openUnlessMissing(root, path);
  if (found === undefined) return undefined;
  closeSync(found.descriptor);
  return found.stats;
}

/** Nothing if it is missing, or if a tenant has put something else there: then the name is refused, and there is no object. */
function openUnlessMissing(root: number, path: string): ReturnType<typeof openName> | undefined {
  try {
    return openName(root, path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(systemCode(error) ?? '')) return undefined;
    throw error;
  }
}

function hasEntries(root: number, path: string): boolean {
  const found = openUnlessMissing(root, path);
  if (found === undefined) return false;
  try {
    if (!found.stats.isDirectory()) return false;
    const readable = reopen(found.descriptor);
    try {
      const entries = opendirSync(inDirectory(readable), { bufferSize: 1 });
      try {
        return entries.readSync() !== null;
      } finally {
        entries.closeSync();
      }
    } finally {
      closeSync(readable);
    }
  } finally {
    closeSync(found.descriptor);
  }
}

/** Also true of what lies so deep, or is so much, that it is not looked through. */
function mayHold(root: number, path: string, identity: string): boolean {
  let visits = 0;
  const outcome = visitSecrets(
    loadNative(),
    { directory: root, path: byteText(path), sameMount: false },
    (found, pathBytes) => {
      // The directory itself is not one of its entries.
      visits += 1;
      return visits <= ENTRIES_MAX + 1 && pathBytes < limits.pathBytesMax && found !== identity;
    },
  );
  return outcome !== 'visited';
}
