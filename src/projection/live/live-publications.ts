/**
 * Makes the plan of what a swap or a deletion means to those who look at live files: for each node that the kernel knows,
 * and nothing else. A projection that nobody looks at costs one lookup in a map.
 *
 *   begin: plan into the store -> commit of the swap -> published: plan in force -> steps arrive -> plan gone
 *
 * A plan that was not carried out when the next one is made (the agent died) goes into that: what is shown is compared with
 * what shall be. After a takeover the whole plan is in force again: what was told before the crash is told twice.
 */
import type { GenerationId, NodeId, ProjectionId } from '../../base/ids.ts';
import type { Catalog } from '../catalog.ts';
import type { ContentNode, FileNode } from '../generation-nodes.ts';
import type { LoadedGeneration } from '../projection-nodes.ts';
import type { Publications } from '../publications.ts';
import type { LiveAnnouncements } from './live-announcements.ts';
import { type LiveId, liveNodeId } from './live-ids.ts';
import { joinPath, type LiveKind, type LiveNode, type LiveNodes, projectionNode } from './live-nodes.ts';
import { LivePlan } from './live-plan.ts';
import type { LiveReferences } from './live-references.ts';
import { childrenOf, contentOf, type GenerationSource, type LiveView } from './live-view.ts';

export interface LivePublicationsOptions {
  readonly catalog: Catalog;
  readonly generations: GenerationSource;
  readonly nodes: LiveNodes;
  readonly references: LiveReferences;
  readonly view: LiveView;
  readonly announcements: LiveAnnouncements;
  /** A node that the kernel knows is about to go: what it looks like now is what an open descriptor shows from then on. */
  readonly onLeaving: (id: LiveId) => void;
  /** Has the kernel forget those of the nodes that are only in its caches. */
  readonly prune: (nodes: readonly NodeId[]) => void;
}

/** `live` itself. */
const LIVE_ROOT: LiveId = 0;
const NO_NAMES: ReadonlyMap<string, LiveKind> = new Map();

export class LivePublications implements Publications {
  readonly #options: LivePublicationsOptions;
  readonly #view: LiveView;
  /** Made, and in force when the commit is done. */
  readonly #prepared = new Map<ProjectionId, LivePlan>();

  constructor(options: LivePublicationsOptions) {
    this.#options = options;
    this.#view = options.view;
  }

  begin(projection: ProjectionId, next: GenerationId): void {
    const { generations, references } = this.#options;
    const present = this.#view.generationOf(projection);
    const isFirst = present === 0;
    const isLookedAt = references.knownOf(projection).size > 0 || (isFirst && references.isKnown(LIVE_ROOT));
    if (isLookedAt || this.#view.plans.has(projection)) {
      const plan = this.#makePlan(projection, generations.load(next));
      if (isFirst) plan.creates.set('', 'directory');
      this.#prepare(projection, plan);
    }
    this.#view.publishing.set(projection, present);
  }

  published(projection: ProjectionId): void {
    this.#view.publishing.delete(projection);
    const plan = this.#prepared.get(projection);
    if (plan === undefined) return;
    this.#prepared.delete(projection);
    this.#view.plans.set(projection, plan);
    this.settled(projection, plan);
  }

  abandoned(projection: ProjectionId): void {
    this.#view.publishing.delete(projection);
    if (!this.#prepared.delete(projection)) return;
    const before = this.#view.plans.get(projection);
    if (before === undefined) this.#options.announcements.remove(projection);
    else this.#store(projection, before);
  }

  removed(projection: ProjectionId): void {
    const { references } = this.#options;
    const { gone, plans } = this.#view;
    for (const id of gone) if (this.#options.catalog.projection(id) === undefined) gone.delete(id);
    const isRootKnown = references.isKnown(LIVE_ROOT);
    if (isRootKnown || references.knownOf(projection).size > 0 || plans.has(projection)) {
      const plan = this.#makePlan(projection, undefined);
      const isShown = this.#view.shown(projection, '') !== undefined;
      if (isShown && (isRootKnown || references.isKnown(projection))) plan.removes.set('', 'directory');
      this.#prepare(projection, plan);
    }
    gone.add(projection);
    this.published(projection);
  }

  /** A step of the plan has arrived, or it was given up: when nothing is left, nothing is pending. */
  settled(projection: ProjectionId, plan: LivePlan): void {
    if (plan.isEmpty) this.giveUp(projection, plan.towards);
  }

  /** Nobody will carry out the rest of that plan: everything is shown as it is. */
  giveUp(projection: ProjectionId, towards: GenerationId | 0): void {
    const plan = this.#view.plans.get(projection);
    if (plan?.towards !== towards) return;
    this.#view.plans.delete(projection);
    this.#options.announcements.remove(projection);
    this.#prune(projection);
  }

  /** What nobody holds, watches or has open may be forgotten: then the next swap need not announce it. Children first. */
  #prune(projection: ProjectionId): void {
    const { references, prune } = this.#options;
    prune([...[...references.knownOf(projection)].reverse(), LIVE_ROOT].map((id) => liveNodeId(id)));
  }

  /** After a takeover: what was pending is pending again, as far as it still leads to what is published. */
  resume(): void {
    for (const { projection, plan } of this.#options.announcements.all()) {
      const isThere = (path: string, kind: LiveKind): boolean => this.#view.content(projection, path)?.kind === kind;
      for (const [path, kind] of plan.creates) if (!isThere(path, kind)) plan.creates.delete(path);
      for (const [path, kind] of plan.removes) if (isThere(path, kind)) plan.removes.delete(path);
      for (const path of plan.writes) if (!isThere(path, 'file')) plan.writes.delete(path);
      for (const path of plan.modes.keys()) if (!isThere(path, 'file')) plan.modes.delete(path);
      this.#view.plans.set(projection, plan);
      this.settled(projection, plan);
    }
  }

  /** A new mount: nobody looks at anything yet. */
  reset(): void {
    this.#options.announcements.clear();
  }

  #prepare(projection: ProjectionId, plan: LivePlan): void {
    if (plan.isEmpty && !this.#view.plans.has(projection)) return;
    if (!plan.isEmpty) this.#store(projection, plan);
    this.#prepared.set(projection, plan);
  }

  #store(projection: ProjectionId, plan: LivePlan): void {
    const { announcements, catalog } = this.#options;
    const directory = catalog.projection(projection)?.directory;
    if (directory !== undefined) announcements.put({ projection, directory, plan });
  }

  /** From what is shown now to `next`; to nothing, if that is undefined. */
  #makePlan(projection: ProjectionId, next: LoadedGeneration | undefined): LivePlan {
    const { nodes, references } = this.#options;
    const plan = LivePlan.empty(next?.id ?? 0);
    const unfinished = this.#view.plans.get(projection);
    for (const id of references.knownOf(projection)) {
      const node = nodes.node(id) ?? projectionNode(projection);
      if (node.isDead) continue;
      if (node.kind === 'file') this.#planFile(plan, projection, node.path, next, unfinished);
      else this.#planDirectory(plan, node, next, unfinished);
    }
    return plan;
  }

  #planFile(
    plan: LivePlan,
    projection: ProjectionId,
    path: string,
    next: LoadedGeneration | undefined,
    unfinished: LivePlan | undefined,
  ): void {
    const after = fileOf(next && contentOf(next, path)?.node);
    const shown = this.#view.shown(projection, path);
    if (after === undefined) {
      if (shown?.kind === 'file') this.#planRemoval(plan, projection, path, 'file');
      return;
    }
    const before = fileOf(shown?.state === 'present' ? shown.node : undefined);
    this.#planChange(plan, path, before, after);
    if (unfinished?.writes.has(path)) plan.writes.add(path);
    if (unfinished?.modes.has(path)) plan.modes.set(path, after.mode);
  }

  #planChange(plan: LivePlan, path: string, before: FileNode | undefined, after: FileNode): void {
    if (before === undefined || !before.digest.equals(after.digest)) plan.writes.add(path);
    if (before === undefined) return;
    if (before.mode !== after.mode || before.uid !== after.uid || before.gid !== after.gid) {
      plan.modes.set(path, after.mode);
    }
  }

  #planDirectory(
    plan: LivePlan,
    { projection, path }: LiveNode,
    next: LoadedGeneration | undefined,
    unfinished: LivePlan | undefined,
  ): void {
    const shown = this.#view.shown(projection, path);
    const content = next && contentOf(next, path);
    const isDirectory = content?.kind === 'directory';
    if (!isDirectory && path !== '' && shown?.kind === 'directory')
      this.#planRemoval(plan, projection, path, 'directory');
    const before = shown?.kind === 'directory' ? this.#view.children(projection, path) : NO_NAMES;
    const after = content !== undefined && isDirectory ? childrenOf(content) : NO_NAMES;
    for (const [name, kind] of before) {
      if (after.get(name) === kind) continue;
      this.#planRemoval(plan, projection, joinPath(path, name), kind);
    }
    for (const [name, kind] of after) {
      const child = joinPath(path, name);
      if (before.get(name) === kind) {
        if (kind === 'file') this.#planFile(plan, projection, child, next, unfinished);
        continue;
      }
      plan.creates.set(child, kind);
      // As whoever writes a file by hand: it is made, then written.
      if (kind === 'file') plan.writes.add(child);
    }
  }

  #planRemoval(plan: LivePlan, projection: ProjectionId, path: string, kind: LiveKind): void {
    const { nodes, references, onLeaving } = this.#options;
    plan.removes.set(path, kind);
    const id = nodes.findPath(projection, path, kind);
    if (id !== undefined && references.isKnown(id)) onLeaving(id);
  }
}

function fileOf(node: ContentNode | undefined): FileNode | undefined {
  return node?.kind === 'file' ? node : undefined;
}
