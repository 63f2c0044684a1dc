/**
 * Watches of files and directories, all over one inotify instance (the kernel gives a user 128 of them).
 *
 * A watch is for the object that a descriptor names, not for a path: nobody can slip something else under it. Watches of one
 * object share the kernel's, so that all of them have the same mask for its kind. If the kernel's queue has overflowed, every
 * watcher is told so and has to look for itself. Events of one object that are alike are merged by the kernel as long as they are unread.
 */
import { closeSync, readSync } from 'node:fs';
import { loadNative } from './load.ts';
import { systemCode } from './system-error.ts';

export const IN_MODIFY = 0x2;
export const IN_ATTRIB = 0x4;
export const IN_MOVED_FROM = 0x40;
export const IN_MOVED_TO = 0x80;
export const IN_CREATE = 0x100;
export const IN_DELETE = 0x200;
export const IN_DELETE_SELF = 0x400;
export const IN_MOVE_SELF = 0x800;
export const IN_Q_OVERFLOW = 0x4000;
export const IN_IGNORED = 0x8000;

/** What is told of a file: its content, its link count (an unlink), its end. */
const OF_FILE: number = IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF;
/** What is told of a directory: its names, and its own end or move. Not what happens inside of its files. */
const OF_DIRECTORY: number =
  IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | 0x01000000; /* IN_ONLYDIR */

/** Room for at least 16 events with the longest names. */
const BUFFER_BYTES = 16 * (16 + 256);
const HEAD_BYTES = 16;

/** `name`: of the entry, in the events of a directory. After IN_Q_OVERFLOW anything may have happened. */
export type WatchListener = (mask: number, name: string | undefined) => void;

export interface Watch {
  close(): void;
}

export class Inotify {
  readonly #listeners = new Map<number, Set<WatchListener>>();
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  #descriptor: number | undefined;
  #stopWaiting: (() => void) | undefined;

  /** Nothing is watched: there is no descriptor, and the event loop is not kept alive. */
  get isIdle(): boolean {
    return this.#descriptor === undefined;
  }

  /** Throws like inotify_add_watch(2): ENOSPC if the user has as many watches as allowed, EACCES if it may not be read. */
  watchFile(file: number, listener: WatchListener): Watch {
    return this.#watch(file, OF_FILE, listener);
  }

  watchDirectory(directory: number, listener: WatchListener): Watch {
    return this.#watch(directory, OF_DIRECTORY, listener);
  }

  #watch(object: number, mask: number, listener: WatchListener): Watch {
    const inotify = this.#open();
    let watch: number;
    try {
      watch = loadNative().inotifyAdd(inotify, object, mask);
    } catch (error) {
      this.#closeIfIdle();
      throw error;
    }
    // Of its own even if the same function watches twice.
    const own: WatchListener = (events, name) => listener(events, name);
    const listeners = this.#listeners.get(watch) ?? new Set();
    this.#listeners.set(watch, listeners.add(own));
    return { close: () => this.#unwatch(watch, own) };
  }

  #unwatch(watch: number, listener: WatchListener): void {
    const listeners = this.#listeners.get(watch);
    if (listeners?.delete(listener) !== true || listeners.size > 0) return;
    this.#listeners.delete(watch);
    if (this.#descriptor !== undefined) loadNative().inotifyRemove(this.#descriptor, watch);
    this.#closeIfIdle();
  }

  #open(): number {
    this.#descriptor ??= loadNative().inotifyOpen();
    this.#wait();
    return this.#descriptor;
  }

  #wait(): void {
    if (this.#descriptor === undefined) return;
    this.#stopWaiting ??= loadNative().watchReadable(this.#descriptor, () => {
      this.#stopWaiting = undefined;
      this.#readSome();
      this.#wait();
    });
  }

  #closeIfIdle(): void {
    if (this.#listeners.size > 0 || this.#descriptor === undefined) return;
    this.#stopWaiting?.();
    this.#stopWaiting = undefined;
    closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  /** One buffer full: what is left is read in the next turn of the event loop, so that a busy tenant leaves room for others. */
  #readSome(): void {
    if (this.#descriptor === undefined) return;
    let lengthBytes: number;
    try {
      lengthBytes = readSync(this.#descriptor, this.#buffer);
    } catch (error) {
      if (systemCode(error) === 'EAGAIN') return;
      throw error;
    }
    // Listeners may read on: what was read is taken apart before any of them runs.
    for (const { watch, mask, name } of eventsOf(this.#buffer.subarray(0, lengthBytes))) this.#tell(watch, mask, name);
  }

  #tell(watch: number, mask: number, name: string | undefined): void {
    const isOverflow = (mask & IN_Q_OVERFLOW) !== 0;
    const told = isOverflow ? [...this.#listeners.values()] : [this.#listeners.get(watch) ?? new Set<WatchListener>()];
    // The kernel has ended the watch and may give its number out again.
    if ((mask & IN_IGNORED) !== 0) this.#listeners.delete(watch);
    for (const listener of told.flatMap((listeners) => [...listeners])) listener(mask, name);
    this.#closeIfIdle();
  }
}

interface Event {
  readonly watch: number;
  readonly mask: number;
  readonly name: string | undefined;
}

/** struct inotify_event: i32 wd, u32 mask, u32 cookie, u32 len, then the name, padded with zeros. */
export function eventsOf(bytes: Buffer): Event[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isLittle = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
  const events: Event[] = [];
  for (let at = 0; at + HEAD_BYTES <= bytes.byteLength; ) {
    const nameBytes = view.getUint32(at + 12, isLittle);
    const name = bytes.subarray(at + HEAD_BYTES, at + HEAD_BYTES + nameBytes);
    const end = name.indexOf(0);
    events.push({
      watch: view.getInt32(at, isLittle),
      mask: view.getUint32(at + 4, isLittle),
      name: nameBytes === 0 ? undefined : name.toString('utf8', 0, end < 0 ? nameBytes : end),
    });
    at += HEAD_BYTES + nameBytes;
  }
  return events;
}

let shared: Inotify | undefined;

/** The instance of this thread. */
export function sharedInotify(): Inotify {
  shared ??= new Inotify();
  return shared;
}
