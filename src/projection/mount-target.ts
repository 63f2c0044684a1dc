/**
 * The atomic writer's target on the mount: content and names are staged in the catalog, and every change that a watcher
 * should see is a system call of the agent through the mount (`projection-swaps.ts` answers them).
 *
 * Preconditions: one writer per projection at a time; main thread.
 */
import { constants } from 'node:os';
import type { Clock } from '../base/clock.ts';
import type { GenerationId, NodeId, ProjectionId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { BlobStore, PreparedBlob, Protection } from '../store/blob-store.ts';
import type { Digest } from '../store/digest.ts';
import type { MountOperation, ThroughMount } from '../vfs/ports.ts';
import { forEachBounded } from './bounded.ts';
import type { Catalog } from './catalog.ts';
import type { Content } from './content-runs.ts';
import {
  buildNodes,
  contentNodesCodec,
  DIRECTORY_INDEX,
  type FileContent,
  type FileNode,
  nodeCount,
} from './generation-nodes.ts';
import { DATA_LINK, linkTarget, STAGING_LINK } from './layout.ts';
import { topLevelNames } from './path-rules.ts';
import type { FileProjection, MountFile, MountPayload } from './payload.ts';
import type { PendingTable } from './pending-table.ts';
import type { ExpectedPublications } from './publisher.ts';
import type { RecentContent, RecentFile } from './recent-content.ts';
import { STAGED_BYTES_MAX, STAGED_FILES_MAX, type StagedGeneration, type Stager } from './staged-generation.ts';
import type { Published, SwapTarget } from './swap-target.ts';

const DIRECTORY_PERMISSIONS = 0o755;
/** Contents hashed and written at the same time. */
const PREPARE_PARALLEL = 16;

export interface MountTargetOptions {
  readonly catalog: Catalog;
  readonly blobs: BlobStore;
  readonly throughMount: ThroughMount;
  readonly clock: Clock;
  readonly projection: ProjectionId;
  /** Its directory under projections/. */
  readonly directory: string;
  readonly protection: Protection;
  readonly audited: boolean;
  readonly recent: RecentContent;
  /** The number of the generation whose content is published; undefined if the content comes from the source. */
  readonly rollbackOf?: number | undefined;
  readonly stager: Stager;
  /** Absent where the thread that serves is a process of its own. */
  readonly publisher?: ExpectedPublications;
  /** Names that interrupted swaps left in the kernel. */
  readonly interrupted: Pick<PendingTable, 'of'>;
  readonly log: Log;
}

/** What is being written: staged, and neither published nor given up. */
interface Staged {
  readonly payload: MountPayload;
  readonly generation: StagedGeneration;
  readonly prepared: readonly PreparedBlob[];
}

export class MountTarget implements SwapTarget<MountFile> {
  readonly #options: MountTargetOptions;
  /** The published generation, its files and the links that are shown, as of the last `inspect`; unknown before. */
  #content: Content | undefined;
  #published: ReadonlyMap<string, FileNode> = new Map();
  #visibleNames: ReadonlySet<string> | undefined;
  #staged: Staged | undefined;
  /** Content is compared, then staged: hashed once. */
  readonly #digests = new WeakMap<FileProjection, Digest>();

  constructor(options: MountTargetOptions) {
    this.#options = options;
  }

  get projection(): ProjectionId {
    return this.#options.projection;
  }

  async sweep(): Promise<void> {
    const { interrupted, projection } = this.#options;
    for (const { id, directory } of interrupted.of(projection)) await this.#abort(id, directory);
  }

  /**
   * First completes what an earlier write left that was cut short (the agent died): its names are removed or the write
   * fails, because the FUSE thread knows one staged generation of a projection at a time; and what the store says about
   * links is only then what the kernel has been told, on which the next publication relies.
   */
  async inspect(payload: MountPayload): Promise<Published> {
    const { catalog, projection } = this.#options;
    await this.sweep();
    catalog.refresh();
    const generation = catalog.projection(projection)?.generation ?? 0;
    if (generation !== 0 && catalog.isUnsettled(projection)) await this.repairLinks();
    const nodes = generation === 0 ? undefined : catalog.nodes(generation);
    // Settled: a link is shown for each name of the published generation, and no other.
    const visibleNames = new Set(nodes?.children(DIRECTORY_INDEX)?.keys());
    this.#published = new Map([...(nodes?.files() ?? [])].map(({ path, file }) => [path, file]));
    this.#visibleNames = visibleNames;
    this.#content = nodes?.content;
    return {
      directoryName: generation === 0 ? undefined : catalog.generation(generation)?.directory,
      unchanged: generation !== 0 && this.#isUnchanged(payload),
      visibleNames,
      brokenNames: new Set<string>(),
    };
  }

  #isUnchanged(payload: MountPayload): boolean {
    if (this.#published.size !== payload.size) return false;
    for (const [path, file] of this.#published) {
      const wanted = payload.get(path);
      if (wanted === undefined || wanted.mode !== file.mode) return false;
      if (wanted.uid !== file.uid || wanted.gid !== file.gid) return false;
      if (!this.#isPublished(path, wanted)) return false;
    }
    return true;
  }

  /** Whether the published generation has that content at that path. What was found damaged it has not: it is stored anew. */
  #isPublished(path: string, file: MountFile): boolean {
    const published = this.#published.get(path);
    if (published?.sizeBytes !== sizeBytes(file) || !this.#digestOf(path, file).equals(published.digest)) return false;
    return this.#options.blobs.isReadable(published.digest);
  }

  #digestOf(path: string, file: MountFile): Digest {
    if ('stored' in file) return file.stored.digest;
    const known = this.#digests.get(file);
    if (known !== undefined) return known;
    const { blobs, recent, projection, protection } = this.#options;
    const digest = recent.digestOf(projection, path, file.data) ?? blobs.digestOf(file.data, protection);
    this.#digests.set(file, digest);
    return digest;
  }

  /** Whether publication of these top-level names makes and removes no link. */
  #showsExactly(names: ReadonlySet<string>): boolean {
    const visible = this.#visibleNames;
    if (visible === undefined) return false;
    return names.size === visible.size && [...names].every((name) => visible.has(name));
  }

  async stage(directoryName: string, payload: MountPayload): Promise<void> {
    const { blobs, stager } = this.#options;
    const prepared: PreparedBlob[] = [];
    try {
      const described = this.#generation(directoryName, await this.#prepare(payload, prepared), prepared);
      const generation = this.#options.publisher?.reserve(described) ?? described;
      this.#staged = { payload, generation, prepared };
      await stager.stage(generation);
    } catch (error) {
      for (const blob of prepared) blobs.abandon(blob);
      throw error;
    }
  }

  /** Describes the generation, and stores it ahead if it is large. */
  #generation(
    directory: string,
    files: ReadonlyMap<string, FileContent>,
    prepared: readonly PreparedBlob[],
  ): StagedGeneration {
    const { catalog, blobs, clock, projection, audited, rollbackOf } = this.#options;
    const content = buildNodes(files);
    const nodes = nodeCount(content);
    const names = topLevelNames(files.keys());
    const changesNames = !this.#showsExactly(names);
    const linked = changesNames ? [...names] : [];
    const id = catalog.reserveNodes(nodes + linked.length) as number as GenerationId;
    const generation = {
      ...{ id, projection, directory, nodes, changesNames, audited },
      ...(rollbackOf === undefined ? {} : { rollbackOf }),
      content: contentNodesCodec.encode(content),
      directories: content.filter((node) => node.kind === 'directory' && node.parent === DIRECTORY_INDEX).length,
      files: files.size,
      sizeBytes: [...files.values()].reduce((sum, file) => sum + file.sizeBytes, 0),
      createdAtMs: clock.nowMs(),
      links: linked.map((name, index) => ({ name, node: (id + nodes + index) as NodeId })),
    };
    const inlineBytes = prepared.reduce((sum, { inline }) => sum + (inline?.length ?? 0), 0);
    const isStored = files.size > STAGED_FILES_MAX || inlineBytes > STAGED_BYTES_MAX;
    if (!isStored) return { ...generation, blobs: prepared, isStored };
    const stored = { ...generation, blobs: [], isStored };
    catalog.store(stored, prepared, blobs, this.#content);
    return stored;
  }

  /** One prepared blob per file of which the content is not published at its path, also if two files have the same content. */
  async #prepare(payload: MountPayload, prepared: PreparedBlob[]): Promise<Map<string, FileContent>> {
    const files = new Map<string, FileContent>();
    const changed: (readonly [string, MountFile])[] = [];
    for (const [path, file] of payload) {
      if (this.#isPublished(path, file)) files.set(path, fileContent(file, this.#digestOf(path, file)));
      else changed.push([path, file]);
    }
    await forEachBounded(changed, PREPARE_PARALLEL, async ([path, file]) => {
      const blob = await this.#prepareFile(path, file);
      prepared.push(blob);
      files.set(path, fileContent(file, blob.digest));
    });
    return files;
  }

  async #prepareFile(path: string, file: MountFile): Promise<PreparedBlob> {
    const { blobs, protection } = this.#options;
    if ('stored' in file) return blobs.prepareAgain(file.stored);
    return await blobs.prepare(file.data, protection, this.#digestOf(path, file));
  }

  async publish(directoryName: string): Promise<void> {
    const swap = this.#run('cannot swap', [
      { kind: 'mkdir', name: directoryName, mode: DIRECTORY_PERMISSIONS },
      { kind: 'symlink', name: STAGING_LINK, target: directoryName },
      { kind: 'rename', name: STAGING_LINK, newName: DATA_LINK },
    ]);
    this.#expect();
    await swap;
    this.#assertCommitted();
    if (this.#staged !== undefined) this.#options.publisher?.settle(this.#staged.generation);
    this.#remember();
    this.#letGo();
  }

  /** Beside the agent, which has its names to make first. What fails here makes the swap slower. */
  #expect(): void {
    const { publisher, log } = this.#options;
    try {
      if (this.#staged !== undefined) publisher?.expect(this.#staged.generation);
    } catch (error) {
      log.warn({ error: String(error) }, 'the record of a swap could not be begun ahead');
    }
  }

  /** The agent is answered when the publication is decided: its commit may still be under way. */
  #assertCommitted(): void {
    const { catalog, directory } = this.#options;
    const id = this.#staged?.generation.id;
    catalog.awaitWriter();
    if (id === undefined || catalog.wasPublished(id)) return;
    throw new DunnageError('IO', `the swap of ${directory} was announced, but could not be committed`, {
      remedy: 'Check the disk (dmesg), then restart the daemon: it completes the swap.',
    });
  }

  #remember(): void {
    const { recent, projection, protection } = this.#options;
    if (protection === 'secret' || this.#staged === undefined) return;
    const files = new Map<string, RecentFile>();
    for (const [path, file] of this.#staged.payload) {
      if (!('stored' in file)) files.set(path, { data: file.data, digest: this.#digestOf(path, file) });
    }
    recent.remember(projection, files);
  }

  /** The store has its own hold on the content now, or nobody needs it. */
  #letGo(): void {
    for (const blob of this.#staged?.prepared ?? []) this.#options.blobs.abandon(blob);
    this.#staged = undefined;
  }

  async discard(directoryName: string): Promise<void> {
    const generation = this.#staged?.generation;
    try {
      if (generation === undefined) return;
      const isPublished = !(await this.#abort(generation.id, directoryName, generation));
      if (isPublished) this.#options.publisher?.settle(generation);
    } finally {
      this.#letGo();
    }
  }

  async updateLinks(missing: readonly string[], stale: readonly string[]): Promise<void> {
    const { catalog, projection } = this.#options;
    await this.#each(missing, 'EEXIST', (name) => ({ kind: 'symlink', name, target: linkTarget(name) }));
    await this.#each(stale, 'ENOENT', (name) => ({ kind: 'unlink', name }));
    if (missing.length + stale.length > 0 || catalog.isUnsettled(projection))
      catalog.settle(projection, missing, stale);
  }

  /** The FUSE thread drops the replaced generation by itself, a grace period after the swap. */
  drop(): Promise<void> {
    return Promise.resolve();
  }

  /** Completes the links of the published generation after an interrupted swap. */
  async repairLinks(): Promise<void> {
    const { catalog, projection } = this.#options;
    catalog.refresh();
    const generation = catalog.projection(projection)?.generation ?? 0;
    const wanted = generation === 0 ? undefined : catalog.nodes(generation).children(DIRECTORY_INDEX);
    const links = [...catalog.links(projection)];
    const missing = links.filter((link) => !link.visible && wanted?.has(link.name)).map((link) => link.name);
    const stale = links.filter((link) => link.visible && !wanted?.has(link.name)).map((link) => link.name);
    await this.updateLinks(missing, stale);
  }

  /** Removes every name of a projection that is being deleted, also one of which only the kernel knows; not its directory. */
  async removeNames(): Promise<void> {
    const { catalog, projection } = this.#options;
    catalog.refresh();
    const names = [...catalog.links(projection)].map((link) => link.name);
    if (catalog.projection(projection)?.generation !== 0) names.push(DATA_LINK);
    await this.#each(names, 'ENOENT', (name) => ({ kind: 'unlink', name }));
  }

  /** False if it was published before. */
  async #abort(id: GenerationId, directory: string, own?: StagedGeneration): Promise<boolean> {
    const { catalog, blobs, stager, publisher, interrupted, projection } = this.#options;
    if (!(await stager.abort(id))) return false;
    if (own !== undefined) await publisher?.giveUp(own);
    // From here on no name of it is accepted any more.
    if (interrupted.of(projection).some((name) => name.id === id)) {
      await this.#each([STAGING_LINK], 'ENOENT', (name) => ({ kind: 'unlink', name }));
      await this.#each([directory], 'ENOENT', (name) => ({ kind: 'rmdir', name }));
    }
    stager.finishAbort(id);
    catalog.discard(id, blobs);
    return true;
  }

  /** One operation per name; a name for which it was done already is no failure. */
  async #each(
    names: readonly string[],
    doneAlready: 'EEXIST' | 'ENOENT',
    operation: (name: string) => MountOperation,
  ): Promise<void> {
    let next = 0;
    while (next < names.length) {
      const outcomes = await this.#try(names.slice(next).map(operation));
      next += outcomes.length;
      const last = outcomes.at(-1) ?? 0;
      if (last !== 0 && last !== constants.errno[doneAlready]) throw operationError('cannot update links', last);
    }
  }

  async #run(doing: string, operations: readonly MountOperation[]): Promise<void> {
    const outcomes = await this.#try(operations);
    const failed = outcomes.at(-1) ?? 0;
    if (failed !== 0) throw operationError(`${doing} ${this.#options.directory}`, failed);
  }

  async #try(operations: readonly MountOperation[]): Promise<readonly number[]> {
    const outcomes = await this.#options.throughMount.run(this.#options.directory, operations);
    if (outcomes.length === 0 && operations.length > 0) throw new DunnageError('IO', 'the mount agent tried nothing');
    return outcomes;
  }
}

function sizeBytes(file: MountFile): number {
  return 'stored' in file ? file.stored.sizeBytes : file.data.length;
}

function fileContent(file: MountFile, digest: Digest): FileContent {
  return { mode: file.mode, uid: file.uid, gid: file.gid, sizeBytes: sizeBytes(file), digest };
}

export function operationError(doing: string, errno: number): DunnageError {
  const symbol = Object.entries(constants.errno).find(([, value]) => value === errno)?.[0] ?? `errno ${errno}`;
  return new DunnageError(
    errno === constants.errno.ENOSPC ? 'NO_SPACE' : 'IO',
    `${doing}: ${symbol} through the mount`,
  );
}
