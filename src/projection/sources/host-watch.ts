/**
 * Watches a path of the host: what it names, with everything below, and every directory on the way to it, so that a path
 * that leads through links, is replaced as a whole or does not exist yet is watched as well. An event says only that
 * something may have changed.
 *
 * `arm` is called before each reading: whatever changes after it makes another reading necessary, and tells.
 */
import { type FSWatcher as DirectoryWatcher, watch as watchDirectory } from 'node:fs';
import { type FSWatcher, watch } from 'chokidar';
import { limits } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import { type HostPlaces, hostPlaces, samePlaces } from './host-places.ts';
import { isInside } from './host-source.ts';

export interface HostWatchOptions {
  readonly path: string;
  /** Our own tree: it is never watched. */
  readonly mountPoint: string;
  readonly onChange: () => void;
  readonly log: Log;
  /** Internal, for tests. */
  readonly watchDirectory?: typeof watchDirectory;
}

export class HostWatch {
  readonly #options: HostWatchOptions;
  #places: HostPlaces | undefined;
  #directories: DirectoryWatcher[] = [];
  #target: FSWatcher | undefined;
  #failure: string | undefined;
  #isArming = false;
  #isClosed = false;

  constructor(options: HostWatchOptions) {
    this.#options = options;
  }

  /** Why changes may go unseen; undefined if all is watched. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Watches what the path means now. When it resolves, every later change is told. */
  async arm(): Promise<void> {
    const places = await hostPlaces(this.#options.path);
    if (this.#isClosed) return;
    if (this.#places !== undefined && this.#failure === undefined && samePlaces(places, this.#places)) return;
    await this.#disarm();
    if (this.#isClosed) return;
    const before = this.#failure;
    this.#failure = undefined;
    this.#places = places;
    this.#isArming = true;
    try {
      for (const [directory, names] of places.names) this.#watchDirectory(directory, names);
      if (places.target !== undefined) await this.#watchTarget(places.target.path);
    } finally {
      this.#isArming = false;
    }
    if (this.#failure !== undefined && this.#failure !== before) {
      this.#options.log.warn({ error: this.#failure }, 'a source is looked at from time to time instead');
    }
    // What changed while the watches were made is seen by nobody.
    if (!samePlaces(places, await hostPlaces(this.#options.path))) this.#options.onChange();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#disarm();
  }

  async #disarm(): Promise<void> {
    for (const watcher of this.#directories.splice(0)) watcher.close();
    const target = this.#target;
    this.#target = undefined;
    await target?.close();
  }

  #watchDirectory(directory: string, names: ReadonlySet<string>): void {
    try {
      const start = this.#options.watchDirectory ?? watchDirectory;
      const watcher = start(directory, (_, name) => {
        if (name === null || names.has(name)) this.#options.onChange();
      });
      watcher.on('error', (error) => this.#fail(error));
      this.#directories.push(watcher);
    } catch (error) {
      this.#fail(error);
    }
  }

  async #watchTarget(path: string): Promise<void> {
    const { mountPoint, onChange } = this.#options;
    const watcher = watch(path, {
      ignoreInitial: true,
      followSymlinks: false,
      atomic: false,
      ignorePermissionErrors: true,
      ignored: (entry) => isInside(entry, mountPoint),
    });
    this.#target = watcher;
    watcher.on('error', (error) => this.#fail(error));
    let timer: NodeJS.Timeout | undefined;
    const armed = new Promise<void>((resolve) => {
      watcher.once('ready', resolve);
      timer = setTimeout(resolve, limits.sourceSettleMsMax);
    });
    await armed;
    clearTimeout(timer);
    // Each is a sign of its own: raw events come first, the others also tell of what was found in a new directory.
    watcher.on('raw', onChange);
    watcher.on('all', onChange);
  }

  #fail(error: unknown): void {
    if (this.#isClosed) return;
    const reason = error instanceof Error ? error.message : String(error);
    this.#failure = `changes of ${this.#options.path} cannot be watched: ${reason}`;
    // While the watches are made a reading is about to follow anyway; to ask for another would never end.
    if (!this.#isArming) this.#options.onChange();
  }
}
