/**
 * Which number each path of the live view has: given when somebody first looks at it, and kept in the store, so that
 * `stat` shows the same inode after every swap and every restart. A path that is a file and later a directory has two.
 *
 *   live-nodes   id -> projection, parent, kind, path          live-names   [parent, kind + name] -> id
 *
 * The parent of what lies directly in a projection is the projection's id. Rows of paths that no longer exist and that the
 * kernel does not know are swept. FUSE thread only.
 */
import type { ProjectionId } from '../../base/ids.ts';
import { numberAndStringKey, numberKey } from '../../store/codecs.ts';
import { NodeIdCounter } from '../../store/node-id-counter.ts';
import type { Store, Table } from '../../store/store.ts';
import type { LiveId } from './live-ids.ts';
import { tolerantJson } from './tolerant-json.ts';

export type LiveKind = 'file' | 'directory';

export interface LiveNode {
  readonly id: LiveId;
  readonly projection: ProjectionId;
  /** Relative to the projection's directory; '' for that itself. */
  readonly path: string;
  readonly kind: LiveKind;
  /** A directory that was removed through the mount: to the kernel it is dead, and what comes back under its name is another. */
  readonly isDead: boolean;
}

/** The directory of a projection, which has no row. */
export function projectionNode(projection: ProjectionId): LiveNode {
  return { id: projection, projection, path: '', kind: 'directory', isDead: false };
}

type KindLetter = 'f' | 'd';
type Row = readonly [projection: number, parent: LiveId, kind: KindLetter, path: string, isDead?: true];

/** Rows kept in memory. */
const CACHED_ROWS_MAX = 50_000;

const letterOf = (kind: LiveKind): KindLetter => (kind === 'file' ? 'f' : 'd');
const nameKey = (parent: LiveId, name: string, kind: LiveKind): readonly [number, string] => [
  parent,
  letterOf(kind) + name,
];

const isId = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) > 0;
const isRow = (value: unknown): boolean =>
  Array.isArray(value) &&
  isId(value[0]) &&
  isId(value[1]) &&
  (value[2] === 'f' || value[2] === 'd') &&
  typeof value[3] === 'string' &&
  value[3] !== '';

const lastName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
export const joinPath = (directory: string, name: string): string => (directory === '' ? name : `${directory}/${name}`);

export class LiveNodes {
  readonly #store: Store;
  readonly #ids: NodeIdCounter;
  readonly #rows: Table<number, Row | undefined>;
  readonly #names: Table<readonly [number, string], number | undefined>;
  readonly #cached = new Map<LiveId, LiveNode>();
  /** Numbers given so far by this daemon. */
  assigned = 0;

  constructor(store: Store) {
    this.#store = store;
    this.#ids = new NodeIdCounter(store);
    this.#rows = store.table('live-nodes', numberKey, tolerantJson<Row>(isRow));
    this.#names = store.table('live-names', numberAndStringKey, tolerantJson<number>(isId));
  }

  /** Undefined for what has no row: `live` itself and the directories of projections. */
  node(id: LiveId): LiveNode | undefined {
    const cached = this.#cached.get(id);
    if (cached !== undefined) return cached;
    const row = this.#rows.get(id);
    if (row === undefined) return undefined;
    const [projection, , letter, path, isDead = false] = row;
    const kind = letter === 'f' ? 'file' : 'directory';
    const node: LiveNode = { id, projection: projection as ProjectionId, path, kind, isDead };
    if (this.#cached.size >= CACHED_ROWS_MAX) this.#cached.clear();
    this.#cached.set(id, node);
    return node;
  }

  /** Undefined also for a name whose number is not that of such a path: it is given another. */
  find(parent: LiveId, name: string, kind: LiveKind): LiveId | undefined {
    const id = this.#names.get(nameKey(parent, name, kind));
    const node = id === undefined ? undefined : this.node(id);
    return node?.kind === kind && !node.isDead && lastName(node.path) === name ? id : undefined;
  }

  /** The number of a path, if each part of it was looked at. */
  findPath(projection: ProjectionId, path: string, kind: LiveKind): LiveId | undefined {
    if (path === '') return kind === 'directory' ? projection : undefined;
    const names = path.split('/');
    const last = names.pop() as string;
    let parent: LiveId | undefined = projection;
    for (const name of names) {
      parent = this.find(parent, name, 'directory');
      if (parent === undefined) return undefined;
    }
    return this.find(parent, last, kind);
  }

  /** The numbers of names in one directory; those that have none are given one, in one transaction. */
  assign(parent: LiveNode, wanted: readonly { readonly name: string; readonly kind: LiveKind }[]): LiveId[] {
    const found = wanted.map(({ name, kind }) => this.find(parent.id, name, kind));
    if (!found.includes(undefined)) return found as LiveId[];
    this.assigned += found.filter((id) => id === undefined).length;
    return this.#store.transactBuffered(() =>
      wanted.map(({ name, kind }, index) => {
        const known = found[index];
        if (known !== undefined) return known;
        const id = this.#ids.reserve(1) as LiveId;
        this.#rows.put(id, [parent.projection, parent.id, letterOf(kind), joinPath(parent.path, name)]);
        this.#names.put(nameKey(parent.id, name, kind), id);
        return id;
      }),
    );
  }

  /** Its path gets another number when it is there again; who holds the directory has this one. */
  markDead(id: LiveId): void {
    this.#store.transactBuffered(() => {
      const row = this.#rows.get(id);
      if (row === undefined) return;
      this.#unname(id, row);
      const [projection, parent, letter, path] = row;
      this.#rows.put(id, [projection, parent, letter, path, true]);
    });
    this.#cached.delete(id);
  }

  /** Preconditions: in a transaction. */
  #unname(id: LiveId, [, parent, letter, path]: Row): void {
    const key: readonly [number, string] = [parent, letter + lastName(path)];
    if (this.#names.get(key) === id) this.#names.remove(key);
  }

  /** Takes away the numbers of paths that are gone for good. */
  remove(ids: readonly LiveId[]): void {
    if (ids.length === 0) return;
    this.#store.transactBuffered(() => {
      for (const id of ids) {
        const row = this.#rows.get(id);
        this.#rows.remove(id);
        if (row !== undefined) this.#unname(id, row);
        this.#cached.delete(id);
      }
    });
  }

  /** Every number that was given. */
  *ids(): IterableIterator<LiveId> {
    for (const { key } of this.#rows.range({})) yield key;
  }

  /** Everything that has a number in a projection, children before their parents. */
  within(parent: ProjectionId | LiveId): LiveId[] {
    const found: LiveId[] = [];
    for (const { key, value } of [...this.#names.range({ start: [parent, ''], end: [parent + 1, ''] })]) {
      if (value === undefined) continue;
      if (key[1].startsWith('d')) found.push(...this.within(value));
      found.push(value);
    }
    return found;
  }
}
