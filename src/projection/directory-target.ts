/**
 * A plain directory as the target of the atomic writer: the reference's on-disk picture, made durable.
 *
 *   ..2026_11_21_03_00_00.12345678901234567890/   the content
 *   ..data -> ..2026_11_21_03_00_00.12345678901234567890
 *   <name> -> ..data/<name>                       for the first component of each path
 *
 * Files and directories are flushed before `..data` is renamed, the target directory before and after, so that the
 * loss of power shows the old content or the new, like every other crash. Whoever can write inside the target
 * (a container, perhaps) cannot make the writer read, write or remove anything outside: see `beneath.ts`. A `..data`
 * that names no `..` directory of the target itself is foreign: never read through, replaced by the next publish.
 */
import { constants, type Stats, statSync } from 'node:fs';
import { type FileHandle, lstat, open, readdir, readlink, rename, rmdir, symlink } from 'node:fs/promises';
import { KeyedMutex } from '../base/mutex.ts';
import { DunnageError, fromSystemError } from '../errors/dunnage-error.ts';
import { inDirectory, OPEN_DIRECTORY, unless, withBeneath } from './beneath.ts';
import { forEachBounded } from './bounded.ts';
import { removeEntry } from './directory-removal.ts';
import { flushTree, PARALLEL_MAX, stageTree, treeMatches } from './directory-stage.ts';
import { isGenerationName } from './generation-name.ts';
import { DATA_LINK, linkTarget, STAGING_LINK } from './layout.ts';
import { shown, topLevelNames } from './path-rules.ts';
import type { Payload } from './payload.ts';
import type { Published, SetPermissions, SwapTarget } from './swap-target.ts';

/** By device and inode number: writers of one directory under different names exclude each other too. */
const writersOfDirectory = new KeyedMutex<string>();

/** What `..data` is. `none`: no link at all. `foreign`: a link that this writer neither made nor follows. */
type DataLink =
  | { readonly kind: 'none' }
  | { readonly kind: 'foreign' }
  | { readonly kind: 'own'; readonly name: string };

export class DirectoryTarget implements SwapTarget {
  readonly #path: string;
  readonly #onStep: (step: string) => void | Promise<void>;
  #handle: FileHandle | undefined;

  /** @throws DunnageError if the path is no directory that this process can reach. */
  constructor(path: string, onStep: (step: string) => void | Promise<void> = () => undefined) {
    this.#path = path;
    this.#onStep = onStep;
    let stats: Stats;
    try {
      stats = statSync(path);
    } catch (error) {
      throw fromSystemError(error, `cannot write to the directory "${shown(path)}"`);
    }
    if (!stats.isDirectory()) {
      throw new DunnageError('NOT_A_DIRECTORY', `"${shown(path)}" is not a directory`, {
        remedy: 'give the directory that shall hold the files',
      });
    }
  }

  async exclusively<T>(task: () => Promise<T>): Promise<T> {
    const handle = await this.#doing('open', () => open(this.#path, constants.O_RDONLY | constants.O_DIRECTORY));
    try {
      const { dev, ino } = await this.#doing('open', () => handle.stat({ bigint: true }));
      return await writersOfDirectory.run(`${dev}:${ino}`, async () => {
        this.#handle = handle;
        try {
          return await task();
        } finally {
          this.#handle = undefined;
        }
      });
    } finally {
      await handle.close();
    }
  }

  async sweep(): Promise<void> {
    await this.#doing('sweep leftovers in', async () => {
      await removeEntry(this.#directory, STAGING_LINK);
      const current = await this.#readDataLink();
      // Old content may be reachable through a foreign link; once it is replaced, the next sweep removes the rest.
      if (current.kind === 'foreign') return;
      const keep = current.kind === 'own' ? current.name : undefined;
      const names = await readdir(inDirectory(this.#directory));
      for (const name of names) {
        if (name !== keep && isGenerationName(name)) await removeEntry(this.#directory, name);
      }
    });
  }

  async inspect(payload: Payload, contentOnly = false): Promise<Published> {
    return this.#doing('inspect', async () => {
      const links = await this.#inspectLinks(topLevelNames(payload.keys()));
      const current = await this.#readDataLink();
      if (current.kind !== 'own') return { directoryName: undefined, unchanged: false, ...links };
      // Dangling, or not a directory: there is no old version.
      const unchanged = await unless(['ENOENT', 'ENOTDIR', 'ELOOP'], () =>
        withBeneath(this.#directory, current.name, OPEN_DIRECTORY, (top) => treeMatches(top, payload, contentOnly)),
      );
      if (unchanged === undefined) return { directoryName: undefined, unchanged: false, ...links };
      return { directoryName: current.name, unchanged, ...links };
    });
  }

  async stage(directoryName: string, payload: Payload): Promise<void> {
    await this.#doing('write files to', async () => {
      await stageTree(this.#directory, directoryName, payload, this.#onStep);
    });
  }

  async applyPermissions(directoryName: string, setPermissions: SetPermissions): Promise<void> {
    await setPermissions(directoryName);
    await this.#doing('flush', () => flushTree(this.#directory, directoryName));
  }

  async publish(directoryName: string): Promise<void> {
    await this.#doing('publish in', async () => {
      await this.#flush();
      await symlink(directoryName, inDirectory(this.#directory, STAGING_LINK));
      await this.#onStep('publish-link-staged');
      await rename(inDirectory(this.#directory, STAGING_LINK), inDirectory(this.#directory, DATA_LINK));
      await this.#onStep('publish-renamed');
      await this.#flush();
    });
  }

  async discard(directoryName: string): Promise<void> {
    await this.#doing('clean up', async () => {
      await removeEntry(this.#directory, STAGING_LINK);
      const current = await this.#readDataLink();
      // The failure came after the rename: this IS the content now.
      if (current.kind === 'own' && current.name === directoryName) return;
      await removeEntry(this.#directory, directoryName);
    });
  }

  async updateLinks(missing: readonly string[], stale: readonly string[]): Promise<void> {
    if (missing.length === 0 && stale.length === 0) return;
    await this.#doing('link files in', async () => {
      const wanted = new Set(missing);
      await forEachBounded(stale, PARALLEL_MAX, async (name) => {
        if (!wanted.has(name)) return;
        await this.#removeVisible(name);
        await this.#onStep('link-broken-removed');
      });
      await forEachBounded(missing, PARALLEL_MAX, async (name) => {
        await symlink(linkTarget(name), inDirectory(this.#directory, name));
        await this.#onStep('link-made');
      });
      await forEachBounded(stale, PARALLEL_MAX, async (name) => {
        if (wanted.has(name)) return;
        await this.#removeVisible(name);
        await this.#onStep('link-stale-removed');
      });
      await this.#flush();
    });
  }

  async drop(directoryName: string): Promise<void> {
    await this.#doing('remove replaced content (new content is published) from', () =>
      removeEntry(this.#directory, directoryName),
    );
  }

  /** Preconditions: inside `exclusively`. */
  get #directory(): number {
    if (this.#handle === undefined)
      throw new DunnageError('INTERNAL', 'a directory target is used outside exclusively()');
    return this.#handle.fd;
  }

  async #flush(): Promise<void> {
    await this.#handle?.sync();
  }

  async #readDataLink(): Promise<DataLink> {
    const path = inDirectory(this.#directory, DATA_LINK);
    const stats = await unless(['ENOENT'], () => lstat(path));
    if (stats === undefined || stats.isFile()) return { kind: 'none' };
    if (stats.isDirectory()) {
      throw new DunnageError('IS_A_DIRECTORY', `"${DATA_LINK}" is a directory, but its name is reserved for a link`, {
        remedy: `move ${this.#path}/${DATA_LINK} away`,
      });
    }
    const name = await unless(['EINVAL', 'ENOENT'], () => readlink(path));
    return name !== undefined && isOwnDirectoryName(name) ? { kind: 'own', name } : { kind: 'foreign' };
  }

  async #inspectLinks(wanted: ReadonlySet<string>): Promise<Pick<Published, 'visibleNames' | 'brokenNames'>> {
    const visibleNames = new Set<string>();
    const brokenNames = new Set<string>();
    const entries = await readdir(inDirectory(this.#directory), { withFileTypes: true });
    await forEachBounded(entries, PARALLEL_MAX, async (entry) => {
      const { name } = entry;
      if (name.startsWith('..')) return;
      const path = inDirectory(this.#directory, name);
      const target = entry.isSymbolicLink() ? await unless(['EINVAL', 'ENOENT'], () => readlink(path)) : undefined;
      const ours = target === linkTarget(name);
      if (!ours && !wanted.has(name)) return;
      if (entry.isDirectory()) await this.#refuseFullDirectory(name);
      visibleNames.add(name);
      if (!ours) brokenNames.add(name);
    });
    return { visibleNames, brokenNames };
  }

  /** Asked before anything is written: a directory with content is somebody's data, not a leftover of ours. */
  async #refuseFullDirectory(name: string): Promise<void> {
    const content = await withBeneath(this.#directory, name, OPEN_DIRECTORY, (opened) => readdir(inDirectory(opened)));
    if (content.length === 0) return;
    throw new DunnageError('NOT_EMPTY', `"${shown(name)}" is a directory with content where a projected name belongs`, {
      remedy: `move ${this.#path}/${shown(name)} away`,
    });
  }

  async #removeVisible(name: string): Promise<void> {
    const path = inDirectory(this.#directory, name);
    const stats = await unless(['ENOENT'], () => lstat(path));
    if (stats?.isDirectory()) await rmdir(path);
    else await removeEntry(this.#directory, name);
  }

  async #doing<T>(verb: string, task: () => Promise<T>): Promise<T> {
    try {
      return await task();
    } catch (error) {
      throw fromSystemError(error, `cannot ${verb} "${shown(this.#path)}"`);
    }
  }
}

/** Only a `..` name of the target itself: no other directory is ever read or removed in its place. */
function isOwnDirectoryName(name: string): boolean {
  return name.startsWith('..') && name.length > 2 && !name.includes('/') && name !== DATA_LINK && name !== STAGING_LINK;
}
