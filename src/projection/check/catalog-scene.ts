/** What every check of the catalog works on: its tables, read so that a broken row is a finding and no failure. */
import type { GenerationId, NodeId, ProjectionId } from '../../base/ids.ts';
import type { BlobScene } from '../../store/check/blob-scene.ts';
import { TolerantTable } from '../../store/check/tolerant-table.ts';
import { type Codec, jsonValue, numberAndStringKey, numberKey, stringKey } from '../../store/codecs.ts';
import type { Digest } from '../../store/digest.ts';
import type { Store } from '../../store/store.ts';
import type { ContentNode } from '../generation-nodes.ts';
import { liveNodeId } from '../live/live-ids.ts';
import type { GenerationRecord, LinkRecord, ProjectionRecord, StagedRecord } from '../records.ts';
import { type LiveRow, liveRows } from './live-rows.ts';
import { FIRST_INDEX, pathsOf, strictNodesCodec } from './node-list.ts';
import { isGenerationRecord, isId, isLinkRecord, isProjectionRecord, isStagedRecord } from './record-shapes.ts';

export interface CatalogSceneOptions {
  readonly store: Store;
  readonly blobs: BlobScene;
  /** A daemon serves the tree: work that is under way is no left-over. */
  readonly online: boolean;
}

/** Where a generation is listed. */
export interface Roles {
  readonly staged: boolean;
  readonly dropped: boolean;
  /** In the history of its projection. */
  readonly kept: boolean;
}

export class CatalogScene {
  readonly options: CatalogSceneOptions;
  readonly projections: TolerantTable<number, ProjectionRecord>;
  readonly names: TolerantTable<string, number>;
  readonly generations: TolerantTable<number, GenerationRecord>;
  readonly nodes: TolerantTable<number, readonly ContentNode[]>;
  readonly directories: TolerantTable<readonly [number, string], number>;
  readonly links: TolerantTable<readonly [number, string], LinkRecord>;
  readonly linkNodes: TolerantTable<number, readonly [number, string]>;
  readonly staged: TolerantTable<number, StagedRecord>;
  readonly dropped: TolerantTable<number, true>;
  readonly unsettled: TolerantTable<number, true>;
  readonly counters: TolerantTable<string, number>;
  readonly live: TolerantTable<number, LiveRow>;

  /** Preconditions: not in a transaction. */
  constructor(options: CatalogSceneOptions) {
    this.options = options;
    const open = <K, V>(name: string, key: Codec<K>, accept: (value: V) => boolean): TolerantTable<K, V> =>
      new TolerantTable(options.store, { name, key, value: jsonValue<V>(), accept });
    this.projections = open('projections', numberKey, isProjectionRecord);
    this.names = open<string, number>('projection-names', stringKey, isId);
    this.generations = open('generations', numberKey, isGenerationRecord);
    this.nodes = new TolerantTable(options.store, {
      name: 'generation-nodes',
      key: numberKey,
      value: strictNodesCodec,
    });
    this.directories = open<readonly [number, string], number>('generation-directories', numberAndStringKey, isId);
    this.links = open('links', numberAndStringKey, isLinkRecord);
    this.linkNodes = open('link-nodes', numberKey, (value: readonly [number, string]) => {
      return Array.isArray(value) && isId(value[0]) && typeof value[1] === 'string';
    });
    this.staged = open('staged', numberKey, isStagedRecord);
    this.dropped = open('dropped', numberKey, (value: true) => value === true);
    this.unsettled = open('unsettled', numberKey, (value: true) => value === true);
    this.live = liveRows(options.store);
    this.counters = open<string, number>('counters', stringKey, isId);
  }

  /** One atomic change. */
  change(action: () => void): void {
    this.options.store.transactBuffered(action);
  }

  rolesOf(id: number, projection: number): Roles {
    const history = this.projections.get(projection)?.history ?? [];
    return {
      staged: this.staged.has(id),
      dropped: this.dropped.has(id),
      kept: history.includes(id as GenerationId),
    };
  }

  /** Every file node with that content, in any generation. Reads all lists of files. */
  nodesWith(digest: Digest): readonly NodeId[] {
    const found: NodeId[] = [];
    for (const { key, value } of this.nodes.rows()) {
      if (key === undefined || value === undefined) continue;
      for (const [position, node] of value.entries()) {
        if (node.kind === 'file' && node.digest.equals(digest)) found.push((key + position + FIRST_INDEX) as NodeId);
      }
    }
    return [...found, ...this.#liveNodesWith(digest)];
  }

  /** In the live view the path has the node, and the published generation says what it holds. */
  #liveNodesWith(digest: Digest): readonly NodeId[] {
    const paths = new Map<number, Set<string>>();
    for (const { key, value } of this.projections.rows()) {
      const content = value === undefined || value.generation === 0 ? undefined : this.nodes.get(value.generation);
      if (key === undefined || content === undefined) continue;
      if (!content.some((node) => node.kind === 'file' && node.digest.equals(digest))) continue;
      const all = pathsOf(content);
      const holds = (position: number): boolean => {
        const node = content[position];
        return node?.kind === 'file' && node.digest.equals(digest);
      };
      paths.set(key, new Set(all.filter((_path, position) => holds(position))));
    }
    const found: NodeId[] = [];
    for (const { key, value } of this.live.rows()) {
      if (key !== undefined && value?.[2] === 'f' && paths.get(value[0])?.has(value[3])) found.push(liveNodeId(key));
    }
    return found;
  }

  /** How a projection is called in a finding. */
  nameOf(projection: number): string {
    return this.projections.get(projection)?.directory ?? `projection ${projection}`;
  }

  /** Removes every row about a generation; references to content are counted afterwards. Preconditions: in a transaction. */
  removeGeneration(id: number): void {
    for (const { key, rawKey, value } of [...this.directories.rows()]) {
      if (key !== undefined && value === id) this.directories.removeRaw(rawKey);
    }
    this.generations.remove(id);
    this.nodes.remove(id);
    this.staged.remove(id);
    this.dropped.remove(id);
  }

  /** Removes a link and what points to it. Preconditions: in a transaction. */
  removeLink(projection: ProjectionId | number, name: string): void {
    const node = this.links.get([projection, name])?.node;
    this.links.remove([projection, name]);
    if (node === undefined) return;
    const owner = this.linkNodes.get(node);
    if (owner?.[0] === projection && owner[1] === name) this.linkNodes.remove(node);
  }
}
