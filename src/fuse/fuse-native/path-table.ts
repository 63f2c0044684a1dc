/**
 * Paths to nodes, for a transport that knows paths only.
 *
 * libfuse keeps the kernel's references by itself and tells nobody of FORGET. So the table stands in for the kernel: it
 * holds a reference to each node it has looked up for as long as a handle is open on it or beneath it, and for a *lease*
 * after its last use by path. While it does, the path leads to that node, also if its name is gone: who opened a
 * directory finds in it what it had. The lease is longer than the kernel keeps a name without asking (the entry timeout), so
 * a name the kernel still has cached is always in the table.
 *
 * A name is gone at once when it is removed or replaced through the mount. A name that the file system drops by itself
 * (`invalidateEntry`) is told to `onLapsed` when its lease is over: then a lookup through the mount makes the kernel forget it.
 */
import { strict as assert } from 'node:assert';
import { posix } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { type NodeId, ROOT_NODE_ID } from '../../base/ids.ts';
import { limits } from '../../base/limits.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { Caller, Entry, FileSystem } from '../../vfs/file-system.ts';

export interface PathTableOptions {
  readonly fileSystem: Pick<FileSystem, 'lookup' | 'forget'>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly caller: Caller;
  readonly leaseMs: number;
  /** The name was invalidated and nobody has used it for the time of a lease. */
  readonly onLapsed: (parent: NodeId, name: string) => void;
}

/** One looked-up path. */
export interface PathEntry {
  readonly nodeId: NodeId;
  readonly parent: PathEntry | undefined;
  path: string;
  /** References of the node that this entry will give back. */
  references: number;
  /** Open handles and entries beneath. */
  holders: number;
  usedAtMs: number;
  /** The path leads here no more. */
  detached: boolean;
}

export class PathTable {
  readonly #options: PathTableOptions;
  readonly #root: PathEntry;
  readonly #entries = new Map<string, PathEntry>();
  /** Names invalidated by the file system, by parent and name. */
  readonly #invalidated = new Map<string, { readonly parent: NodeId; readonly name: string; readonly atMs: number }>();
  /** Rises whenever a path may have come to mean something else. */
  #changes = 0;

  constructor(options: PathTableOptions) {
    this.#options = options;
    this.#root = {
      nodeId: ROOT_NODE_ID,
      parent: undefined,
      path: '/',
      references: 0,
      holders: 1,
      usedAtMs: 0,
      detached: false,
    };
    this.#entries.set('/', this.#root);
  }

  /** Paths that lead to a node without asking the file system. */
  get size(): number {
    return this.#entries.size;
  }

  /** @throws DunnageError NOT_FOUND, NAME_TOO_LONG, and what `lookup` throws. */
  async resolve(path: string): Promise<PathEntry> {
    for (;;) {
      const known = this.#entries.get(path);
      if (known !== undefined) return this.#used(known);
      const name = posix.basename(path);
      if (Buffer.byteLength(name) > limits.nameBytesMax)
        throw new DunnageError('NAME_TOO_LONG', 'the name is too long');
      const parent = await this.resolve(posix.dirname(path));
      const changes = this.#changes;
      const looking = this.#options.fileSystem.lookup(this.#options.caller, parent.nodeId, name);
      const found = looking instanceof Promise ? await looking : looking;
      if (this.#changes !== changes) {
        // Something was renamed or removed while the file system looked: what it found may be history.
        if (found.attributes !== undefined) this.#options.fileSystem.forget(found.attributes.nodeId, 1);
        continue;
      }
      return this.#add(path, parent, found);
    }
  }

  /** Takes over the reference that mkdir or symlink has granted. */
  async adopt(path: string, made: Entry): Promise<void> {
    const parent = await this.resolve(posix.dirname(path));
    this.#add(path, parent, made);
  }

  #add(path: string, parent: PathEntry, { attributes }: Entry): PathEntry {
    if (attributes === undefined) throw new DunnageError('NOT_FOUND', 'there is no such name');
    const present = this.#entries.get(path);
    if (present?.nodeId === attributes.nodeId) {
      present.references += 1;
      return this.#used(present);
    }
    if (present !== undefined) this.#detach(present);
    const entry = { nodeId: attributes.nodeId, parent, path, references: 1, holders: 0, usedAtMs: 0, detached: false };
    parent.holders += 1;
    this.#entries.set(path, entry);
    return this.#used(entry);
  }

  /** Using a path uses every directory on the way. */
  #used(entry: PathEntry): PathEntry {
    const nowMs = this.#options.clock.monotonicMs();
    for (let each: PathEntry | undefined = entry; each !== undefined; each = each.parent) each.usedAtMs = nowMs;
    return entry;
  }

  /** A handle was opened on the entry. */
  hold(entry: PathEntry): void {
    entry.holders += 1;
  }

  /** A handle was released. */
  letGo(entry: PathEntry): void {
    assert(entry.holders > 0);
    entry.holders -= 1;
    this.#settle(this.#used(entry));
  }

  /** The name was removed through the mount, or its node turned out to be gone. Paths beneath it stay. */
  remove(path: string): void {
    this.#changes += 1;
    const entry = this.#entries.get(path);
    if (entry !== undefined && entry !== this.#root) this.#detach(entry);
  }

  /** The name was renamed through the mount, over whatever had the new one. */
  rename(path: string, newPath: string): void {
    this.remove(newPath);
    const entry = this.#entries.get(path);
    if (entry === undefined) return;
    const moved = posix.dirname(path) === posix.dirname(newPath) && entry.holders === 0;
    // What is beneath has other paths now too, and is looked up anew.
    if (!moved) {
      for (const each of [...this.#entries.values()]) {
        if (each === entry || each.path.startsWith(`${path}/`)) this.#detach(each);
      }
      return;
    }
    this.#entries.delete(path);
    entry.path = newPath;
    this.#entries.set(newPath, entry);
  }

  /** The file system has dropped the name by itself. */
  invalidate(parent: NodeId, name: string): void {
    this.#invalidated.set(`${parent}/${name}`, { parent, name, atMs: this.#options.clock.monotonicMs() });
  }

  /** Ends the leases that are over. To be called from time to time. */
  sweep(): void {
    const { clock, leaseMs, onLapsed } = this.#options;
    const overMs = clock.monotonicMs() - leaseMs;
    const kept = new Set<string>();
    // Entries beneath come after the one they are beneath of.
    for (const entry of [...this.#entries.values()].reverse()) {
      if (entry.holders === 0 && entry.usedAtMs <= overMs) this.#detach(entry);
      else if (entry.parent !== undefined) kept.add(`${entry.parent.nodeId}/${posix.basename(entry.path)}`);
    }
    for (const [key, { parent, name, atMs }] of this.#invalidated) {
      if (kept.has(key) || atMs > overMs) continue;
      this.#invalidated.delete(key);
      onLapsed(parent, name);
    }
  }

  #detach(entry: PathEntry): void {
    if (entry.detached) return;
    entry.detached = true;
    this.#entries.delete(entry.path);
    this.#settle(entry);
  }

  #settle(entry: PathEntry): void {
    if (!entry.detached || entry.holders > 0) return;
    this.#options.fileSystem.forget(entry.nodeId, entry.references);
    if (entry.parent === undefined) return;
    entry.parent.holders -= 1;
    this.#settle(entry.parent);
  }
}
