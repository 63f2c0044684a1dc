/**
 * Takes node ids of paths that are gone out of the store: when the kernel forgets one, when a projection has many more ids
 * than it has files, and at a start.
 */
import type { ProjectionId } from '../../base/ids.ts';
import type { Catalog } from '../catalog.ts';
import type { LiveId } from './live-ids.ts';
import type { LiveNodes } from './live-nodes.ts';
import type { LiveReferences } from './live-references.ts';
import type { LiveView } from './live-view.ts';

export interface LiveSweepOptions {
  readonly catalog: Catalog;
  readonly nodes: LiveNodes;
  readonly references: LiveReferences;
  readonly view: LiveView;
}

/** Ids asked for in one projection before it is looked through; at least twice the number of its files. */
const ASSIGNED_MIN = 4096;
const REMOVED_AT_ONCE = 256;

export class LiveSweep {
  readonly #options: LiveSweepOptions;
  readonly #assigned = new Map<ProjectionId, number>();

  constructor(options: LiveSweepOptions) {
    this.#options = options;
  }

  forgotten(id: LiveId): void {
    if (this.#isGone(id)) this.#options.nodes.remove([id]);
  }

  /** Names of a projection were looked at. */
  assigned(projection: ProjectionId, count: number): void {
    const assigned = (this.#assigned.get(projection) ?? 0) + count;
    const { catalog, view, nodes } = this.#options;
    const generation = view.generationOf(projection);
    const files = generation === 0 ? 0 : (catalog.generation(generation)?.files ?? 0);
    if (assigned < Math.max(ASSIGNED_MIN, 2 * files)) {
      this.#assigned.set(projection, assigned);
      return;
    }
    this.#assigned.delete(projection);
    this.#remove(nodes.within(projection));
  }

  all(): void {
    this.#remove([...this.#options.nodes.ids()].reverse());
  }

  #remove(ids: readonly LiveId[]): void {
    const gone = ids.filter((id) => this.#isGone(id));
    for (let first = 0; first < gone.length; first += REMOVED_AT_ONCE) {
      this.#options.nodes.remove(gone.slice(first, first + REMOVED_AT_ONCE));
    }
  }

  /** Not of a path that is there, also one that is about to be announced; and nobody holds it. */
  #isGone(id: LiveId): boolean {
    const { nodes, references, view } = this.#options;
    if (references.isKnown(id)) return false;
    const node = nodes.node(id);
    if (node === undefined || nodes.findPath(node.projection, node.path, node.kind) !== id) return true;
    if (view.content(node.projection, node.path)?.kind === node.kind) return false;
    return view.plans.get(node.projection)?.removes.has(node.path) !== true;
  }
}
