/**
 * What the live view shows: of each projection the published generation, except for names that wait to be announced. While
 * the commit of a swap is flushed the replaced generation is still the one that counts: nobody sees what is not durable.
 */
import type { GenerationId, ProjectionId } from '../../base/ids.ts';
import type { Catalog } from '../catalog.ts';
import { type ContentNode, DIRECTORY_INDEX } from '../generation-nodes.ts';
import type { LoadedGeneration } from '../projection-nodes.ts';
import { joinPath, type LiveKind } from './live-nodes.ts';
import type { LivePlan } from './live-plan.ts';

/** Generations as the projections tree has them in memory, with the references that keep their content. */
export interface GenerationSource {
  load(id: GenerationId): LoadedGeneration;
  /** Throws NO_SPACE if too many are held. */
  hold(id: GenerationId): void;
  release(id: GenerationId): void;
}

export interface Content {
  readonly generation: LoadedGeneration;
  readonly index: number;
  readonly kind: LiveKind;
  /** Undefined for the projection's own directory. */
  readonly node: ContentNode | undefined;
}

/** Something that is there, with its content; or a name that goes when its removal was announced. */
export type Shown = ({ readonly state: 'present' } & Content) | { readonly state: 'leaving'; readonly kind: LiveKind };

export class LiveView {
  readonly #catalog: Catalog;
  readonly #generations: GenerationSource;
  /** What is being announced. */
  readonly plans: Map<ProjectionId, LivePlan> = new Map();
  /** Projections whose swap is being committed, with the generation that counts until then (0: none). */
  readonly publishing: Map<ProjectionId, GenerationId | 0> = new Map();
  /** Projections that were deleted. */
  readonly gone: Set<ProjectionId> = new Set();

  constructor(catalog: Catalog, generations: GenerationSource) {
    this.#catalog = catalog;
    this.#generations = generations;
  }

  generationOf(projection: ProjectionId): GenerationId | 0 {
    if (this.gone.has(projection)) return 0;
    return this.publishing.get(projection) ?? this.#catalog.projection(projection)?.generation ?? 0;
  }

  /** What the path is in the generation that counts, announced or not. */
  content(projection: ProjectionId, path: string): Content | undefined {
    const id = this.generationOf(projection);
    return id === 0 ? undefined : contentOf(this.#generations.load(id), path);
  }

  shown(projection: ProjectionId, path: string): Shown | undefined {
    const plan = this.plans.get(projection);
    const leaving = plan?.removes.get(path);
    if (leaving !== undefined) return { state: 'leaving', kind: leaving };
    if (plan?.creates.has(path)) return undefined;
    const content = this.content(projection, path);
    return content && { state: 'present', ...content };
  }

  /** Names in a directory. The map must not be changed and is good until the next change of the tree. */
  children(projection: ProjectionId, path: string): ReadonlyMap<string, LiveKind> {
    const content = this.content(projection, path);
    const children = content === undefined ? NO_NAMES : childrenOf(content);
    const plan = this.plans.get(projection);
    if (plan === undefined) return children;
    const shown = new Map(children);
    for (const name of children.keys()) if (plan.creates.has(joinPath(path, name))) shown.delete(name);
    for (const [removed, kind] of plan.removes) {
      const slash = removed.lastIndexOf('/');
      const parent = slash < 0 ? '' : removed.slice(0, slash);
      if (removed !== '' && parent === path) shown.set(removed.slice(slash + 1), kind);
    }
    return shown;
  }
}

const NO_NAMES: ReadonlyMap<string, LiveKind> = new Map();

/** Undefined if the generation has no such path. */
export function contentOf(generation: LoadedGeneration, path: string): Content | undefined {
  const { nodes } = generation;
  let index = DIRECTORY_INDEX;
  for (const name of path === '' ? [] : path.split('/')) {
    const child = nodes.children(index)?.get(name);
    if (child === undefined) return undefined;
    index = child;
  }
  const node = index === DIRECTORY_INDEX ? undefined : nodes.node(index);
  return { generation, index, node, kind: node?.kind ?? 'directory' };
}

/** Made once for each directory of a generation, which never changes. */
const namesByDirectory = new WeakMap<ReadonlyMap<string, number>, ReadonlyMap<string, LiveKind>>();

export function childrenOf({ generation, index }: Content): ReadonlyMap<string, LiveKind> {
  const children = generation.nodes.children(index);
  if (children === undefined) return NO_NAMES;
  let names = namesByDirectory.get(children);
  if (names === undefined) {
    const made = new Map<string, LiveKind>();
    for (const [name, child] of children) made.set(name, generation.nodes.node(child)?.kind ?? 'directory');
    namesByDirectory.set(children, made);
    names = made;
  }
  return names;
}
