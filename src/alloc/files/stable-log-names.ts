/**
 * Keeps `alloc/logs/<task>.stdout` and `<task>.stderr` as links to the newest log file of each, for those who look into the tree itself.
 *
 * Told by the kernel when a log file appears or goes; a link is replaced by a rename, so that the name is never missing. What tenants put under
 * these names themselves is left alone. A link that was lost or is out of date is made again at the start and with the next log file.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, readlinkSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import type { Log } from '../../base/log.ts';
import { fromSystemError } from '../../errors/dunnage-error.ts';
import {
  IN_CREATE,
  IN_DELETE,
  IN_MOVED_FROM,
  IN_MOVED_TO,
  IN_Q_OVERFLOW,
  type Inotify,
  type Watch,
} from '../../native/inotify.ts';
import { loadNative } from '../../native/load.ts';
import { systemCode } from '../../native/system-error.ts';
import { AllocAccess, requireDirectory } from './alloc-access.ts';
import { LOG_DIRECTORY, type LogStream, logFileName, parseLogName, stableName } from './log-names.ts';
import { identityOf, inDirectory, openName } from './open-object.ts';
import { Wake } from './wake.ts';
import { WatchedPath } from './watched-path.ts';

export interface StableLogNamesOptions {
  /** Absolute path of the alloc's directory. */
  readonly root: string;
  readonly tasks: () => readonly string[];
  /** A name beneath the root was made or replaced. */
  readonly changed: (path: string) => Promise<void>;
  readonly log: Log;
  readonly inotify?: Inotify;
}

/** Links that are not in place yet begin so; what a crash leaves of them is removed at the next start. */
const UNFINISHED = '.dunnage-log-';
const APPEARED = IN_CREATE | IN_MOVED_TO;
const WENT = IN_DELETE | IN_MOVED_FROM;

interface Newest {
  readonly stream: LogStream;
  index: number;
  /** The link may be another one. */
  isDue: boolean;
}

export class StableLogNames {
  readonly #options: StableLogNamesOptions;
  readonly #access: AllocAccess;
  readonly #wake = new Wake();
  readonly #ends = new AbortController();
  readonly #way: WatchedPath;
  readonly #newest = new Map<string, Newest>();
  #directory: { readonly descriptor: number; readonly identity: string; readonly watch: Watch } | undefined;
  #mustLook = true;
  #running: Promise<void> = Promise.resolve();

  constructor(options: StableLogNamesOptions) {
    const { root, tasks, inotify } = options;
    this.#options = options;
    this.#access = new AllocAccess({ root, tasks, ...(inotify === undefined ? {} : { inotify }) });
    this.#way = new WatchedPath(this.#access, LOG_DIRECTORY, this.#wake.call, false);
  }

  /** Resolves when the links are as they should be, or it was logged why not; from then on they are kept so. */
  async start(): Promise<void> {
    await this.#tryToSettle();
    this.#running = this.#keep();
  }

  /** Nothing is open or under way when it resolves. */
  async close(): Promise<void> {
    this.#ends.abort();
    await this.#running;
    this.#letGo();
    this.#way.close();
  }

  async #keep(): Promise<void> {
    for (;;) {
      await this.#wake.wait(this.#ends.signal);
      if (this.#ends.signal.aborted) return;
      await this.#tryToSettle();
    }
  }

  async #tryToSettle(): Promise<void> {
    try {
      await this.#settle();
    } catch (error) {
      // A full disk, a tenant who replaces what is worked on: tried again with the next change.
      this.#mustLook = true;
      const { code, message } = fromSystemError(error, 'cannot turn a link to a log');
      this.#options.log.warn(
        { directory: this.#options.root, code, reason: message },
        'a stable log name may be out of date',
      );
    }
  }

  async #settle(): Promise<void> {
    this.#findDirectory();
    const directory = this.#directory;
    if (directory === undefined) return;
    if (this.#mustLook) {
      this.#mustLook = false;
      await this.#look(directory.descriptor);
    }
    for (const newest of this.#newest.values()) {
      if (!newest.isDue) continue;
      newest.isDue = false;
      const name = stableName(newest.stream);
      if (point(directory.descriptor, name, logFileName(newest.stream, newest.index))) {
        await this.#options.changed(`${LOG_DIRECTORY}/${name}`);
      }
    }
  }

  /** alloc/logs itself, never a place that a link in its stead leads to. */
  #findDirectory(): void {
    if (this.#directory !== undefined && this.#way.leadsTo(this.#directory.identity)) return;
    this.#letGo();
    const walked = this.#way.walk();
    try {
      if (walked.found?.stats.isDirectory() !== true) return;
      const { descriptor, object } = this.#access.open(walked, LOG_DIRECTORY, requireDirectory);
      try {
        const watch = this.#access.inotify.watchDirectory(descriptor, (mask, name) => this.#told(mask, name));
        this.#directory = { descriptor, identity: identityOf(object.stats), watch };
        this.#mustLook = true;
      } catch (error) {
        closeSync(descriptor);
        throw error;
      }
    } finally {
      walked.close();
    }
  }

  #letGo(): void {
    this.#directory?.watch.close();
    if (this.#directory !== undefined) closeSync(this.#directory.descriptor);
    this.#directory = undefined;
  }

  #told(mask: number, name: string | undefined): void {
    const found = name === undefined ? undefined : parseLogName(name, this.#options.tasks());
    if ((mask & IN_Q_OVERFLOW) !== 0) this.#mustLook = true;
    else if (found === undefined) return;
    else if ((mask & APPEARED) !== 0) this.#note(found.stream, found.index);
    else if ((mask & WENT) !== 0 && this.#newest.get(stableName(found.stream))?.index === found.index)
      this.#mustLook = true;
    else return;
    this.#wake.call();
  }

  #note(stream: LogStream, index: number): void {
    const key = stableName(stream);
    const newest = this.#newest.get(key);
    if (newest === undefined) this.#newest.set(key, { stream, index, isDue: true });
    else if (index >= newest.index) Object.assign(newest, { index, isDue: true });
  }

  async #look(directory: number): Promise<void> {
    this.#newest.clear();
    for (const name of await readdir(inDirectory(directory))) {
      if (name.startsWith(UNFINISHED)) removeLink(directory, name);
      const found = parseLogName(name, this.#options.tasks());
      if (found !== undefined) this.#note(found.stream, found.index);
    }
  }
}

/** Makes the name a link with that text, unless it is one, or something else. True if there is a new link. */
function point(directory: number, name: string, text: string): boolean {
  const before = linkText(directory, name);
  if (before === 'other' || before?.text === text) return false;
  const native = loadNative();
  const unfinished = `${UNFINISHED}${randomBytes(6).toString('hex')}`;
  native.makeSymlink(text, directory, unfinished);
  try {
    // Exchanged rather than replaced: if a tenant has put something there meanwhile, it is not lost.
    native.renameNode(directory, unfinished, directory, name, before === undefined ? 'keep' : 'exchange');
  } catch (error) {
    removeLink(directory, unfinished);
    if (['EEXIST', 'ENOENT'].includes(systemCode(error) ?? '')) return false;
    throw error;
  }
  if (before === undefined) return true;
  if (linkText(directory, unfinished) !== 'other') {
    removeLink(directory, unfinished);
    return true;
  }
  native.renameNode(directory, unfinished, directory, name, 'exchange');
  removeLink(directory, unfinished);
  return false;
}

/** Undefined if there is nothing. */
function linkText(directory: number, name: string): { readonly text: string } | 'other' | undefined {
  try {
    const object = openName(directory, name);
    closeSync(object.descriptor);
    return object.stats.isSymbolicLink() ? { text: readlinkSync(inDirectory(directory, name)) } : 'other';
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    if (systemCode(error) === 'EINVAL') return 'other';
    throw error;
  }
}

/** Only a link: whatever else has that name by now is somebody's. */
function removeLink(directory: number, name: string): void {
  const found = linkText(directory, name);
  if (found === undefined || found === 'other') return;
  try {
    loadNative().removeNode(directory, name, false);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}
