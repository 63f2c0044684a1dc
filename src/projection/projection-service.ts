/**
 * Projections as their users know them: create or replace, read about, delete, and what a start has to mend. Changes of one
 * projection are made one after another, those of different ones side by side. Main thread.
 */
import type { Clock } from '../base/clock.ts';
import type { GenerationId, ProjectionId } from '../base/ids.ts';
import { limits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { type Metrics, silentMetrics } from '../base/metrics.ts';
import { KeyedMutex } from '../base/mutex.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { BlobStore, Protection } from '../store/blob-store.ts';
import type { ThroughMount } from '../vfs/ports.ts';
import { AtomicWriter, type StepHook } from './atomic-writer.ts';
import type { Catalog } from './catalog.ts';
import { type FileChanges, type LiveFile, withChangedFiles } from './file-changes.ts';
import type { FileNode } from './generation-nodes.ts';
import { GenerationRemoval } from './generation-removal.ts';
import { MountTarget } from './mount-target.ts';
import { shown, validatePayload } from './path-rules.ts';
import type { MountFile, MountPayload } from './payload.ts';
import type { PendingTable } from './pending-table.ts';
import {
  AuditedDirectories,
  type AuditedMount,
  auditNotSupported,
  PlainDirectories,
  type ProjectionDirectories,
} from './projection-directories.ts';
import type { ExpectedPublications } from './publisher.ts';
import type { Reaction } from './reactions/reaction.ts';
import type { ReactionsView, SwapReactions } from './reactions/swap-reactions.ts';
import { RecentContent } from './recent-content.ts';
import { isSecret, type ProjectionKind, type ProjectionRecord } from './records.ts';
import type { Stager } from './staged-generation.ts';
import { SwapFigures } from './swap-figures.ts';

export interface ProjectionServiceOptions {
  readonly catalog: Catalog;
  readonly blobs: BlobStore;
  readonly throughMount: ThroughMount;
  /** Undefined where nothing can be audited. */
  readonly audited?: AuditedMount;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics?: Metrics;
  /** Absent: nothing reacts to swaps. */
  readonly reactions?: Pick<SwapReactions, 'prepare' | 'settle' | 'forget' | 'view'>;
  readonly stager: Stager;
  /** Absent where the thread that serves is a process of its own. */
  readonly publisher?: ExpectedPublications;
  /** Names of unpublished generations that the kernel knows. */
  readonly interrupted: PendingTable;
  /** Generations left the history without a swap. */
  readonly onDropped: (ids: readonly GenerationId[]) => void;
  /** Resolves when watchers of the projection's live files were told of what has become of it. Never rejects. */
  readonly announceLive?: (projection: ProjectionId) => Promise<void>;
  /** The content of a projection was published or deleted. */
  readonly onChanged?: (directory: string) => void;
  /** Called at each step of a write; for tests that end the process there. */
  readonly onStep?: StepHook;
}

export interface WantedProjection {
  readonly directory: string;
  readonly kind: ProjectionKind;
  readonly namespace: string;
  readonly name: string;
  readonly immutable: boolean;
  readonly secret: boolean;
  readonly payload: MountPayload;
  /** Generations kept, with the published one; undefined: as many as now, `limits.historyGenerations` for a new projection. */
  readonly keep?: number;
  /** What is done after each swap; undefined leaves that as it is. */
  readonly onSwap?: readonly Reaction[];
  /** Whether opens of its files are logged; undefined: as now, not for a new projection. */
  readonly audited?: boolean;
}

export interface WriteResult {
  readonly action: 'created' | 'configured' | 'unchanged';
  readonly generation: number;
}

/** What `alter` gives to its task. */
export interface ChangeSubject {
  readonly id: ProjectionId;
  readonly record: ProjectionRecord;
  /** Publishes the content of an earlier generation, of which the number is given. */
  readonly rollBack: (payload: MountPayload, rollbackOf: number) => Promise<RollbackResult>;
}

export interface RollbackResult {
  readonly changed: boolean;
  /** Number of the generation that is live now. */
  readonly generation: number;
}

export interface ProjectionView {
  readonly record: ProjectionRecord;
  readonly files: number;
  readonly sizeBytes: number;
  readonly awaitingSource: boolean;
}

export interface ProjectionDetailView extends ProjectionView {
  readonly paths: readonly { readonly path: string; readonly file: FileNode }[];
  /** Undefined if nothing reacts to its swaps. */
  readonly reactions: ReactionsView | undefined;
}

export class ProjectionService {
  readonly #options: ProjectionServiceOptions;
  readonly #catalog: Catalog;
  readonly #mutex = new KeyedMutex<string>();
  readonly #figures: SwapFigures;
  readonly #removal: GenerationRemoval;
  readonly #recent = new RecentContent();
  readonly #plain: PlainDirectories;
  readonly #audited: AuditedDirectories | undefined;

  constructor(options: ProjectionServiceOptions) {
    this.#options = options;
    this.#catalog = options.catalog;
    this.#figures = new SwapFigures(options.metrics ?? silentMetrics, options.clock);
    this.#removal = new GenerationRemoval(options);
    this.#plain = new PlainDirectories(options.throughMount);
    this.#audited = options.audited && new AuditedDirectories(this.#plain, options.audited);
  }

  /** Creates the projection or swaps its content. Throws what the payload rules throw, IMMUTABLE, NO_SPACE, IO. */
  write(wanted: WantedProjection): Promise<WriteResult> {
    return this.#figures.write(() =>
      this.#change(wanted.directory, async () => {
        const { directory, onSwap } = wanted;
        const isReacting = onSwap !== undefined && this.#options.reactions?.prepare(directory, onSwap) === true;
        const result = await this.#write(wanted);
        return isReacting && result.action === 'unchanged' ? { ...result, action: 'configured' } : result;
      }),
    );
  }

  /**
   * Adds, replaces and removes files in one swap; makes the projection if there is none and files are given. Throws NOT_FOUND if
   * a file that shall go is not there, and what `write` throws.
   */
  changeFiles(wanted: Omit<WantedProjection, 'payload' | 'onSwap'>, changes: FileChanges): Promise<WriteResult> {
    const { directory } = wanted;
    const current = (): readonly LiveFile[] => {
      this.#catalog.refresh();
      const id = this.#catalog.findProjection(directory);
      const record = id === undefined ? undefined : this.#catalog.projection(id);
      if (record?.state === 'live' && record.generation !== 0)
        return [...this.#catalog.nodes(record.generation).files()];
      if (changes.files.size === 0) throw notFound(directory);
      return [];
    };
    return this.#figures.write(() =>
      this.#change(directory, async () => {
        const files = current();
        const protection = this.protection(directory);
        if ([...changes.files.values()].some(({ stored }) => stored.protection !== protection)) {
          throw new DunnageError('STALE', `${directory} has become a secret while the file was sent`, {
            remedy: 'send it again',
          });
        }
        const missing = [...changes.removed].find((path) => !files.some((file) => file.path === path));
        if (missing !== undefined) throw noFile(directory, missing);
        return await withChangedFiles(files, changes, this.#options.blobs, (payload) =>
          this.#write({ ...wanted, payload }),
        );
      }),
    );
  }

  /** How content of the projection is stored; `plain` for one that does not exist. Secrets among Projections stay secret. */
  protection(directory: string): Protection {
    this.#catalog.refresh();
    const id = this.#catalog.findProjection(directory);
    const record = id === undefined ? undefined : this.#catalog.projection(id);
    return record?.state === 'live' && isSecret(record) ? 'secret' : 'plain';
  }

  /** Changes of one projection are made one after another; what a change published, also one that failed, is reacted to. */
  #change<T>(directory: string, task: () => Promise<T>): Promise<T> {
    return this.#mutex.run(directory, async () => {
      const before = this.#published(directory);
      let succeeded = false;
      try {
        const result = await task();
        succeeded = true;
        return result;
      } finally {
        this.#options.reactions?.settle(directory, succeeded);
        if (this.#published(directory) !== before) this.#options.onChanged?.(directory);
      }
    });
  }

  #published(directory: string): GenerationId | 0 {
    this.#catalog.refresh();
    const id = this.#catalog.findProjection(directory);
    return (id === undefined ? undefined : this.#catalog.projection(id)?.generation) ?? 0;
  }

  async #write(wanted: WantedProjection): Promise<WriteResult> {
    const payload = validatePayload(wanted.payload);
    this.#catalog.refresh();
    const found = this.#catalog.findProjection(wanted.directory);
    if (found === undefined) return await this.#create(wanted, payload);
    if (this.#record(found).state === 'live') return await this.#replace(found, wanted, payload);
    // What is left of a creation or a deletion that was cut short is no projection to write to.
    await this.#remove(found);
    return await this.#create(wanted, payload);
  }

  async #create(wanted: WantedProjection, payload: MountPayload): Promise<WriteResult> {
    const { directory, kind, namespace, name, immutable, audited, keep = limits.historyGenerations } = wanted;
    const directories = this.#directories({ audited });
    const nowMs = this.#options.clock.nowMs();
    const protection = wanted.secret && kind !== 'Secret' ? { secret: true } : {};
    const named = { directory, kind, namespace, name, immutable, keep, nowMs };
    const id = this.#catalog.create({ ...named, ...protection, ...(audited && { audited }) });
    try {
      await directories.make(directory);
      await this.#swap(this.#target(id, this.#record(id), wanted.secret), payload);
    } catch (error) {
      await this.#remove(id).catch((cause: unknown) => {
        this.#options.log.error(
          { directory, error: String(cause) },
          'a projection that could not be created is removed at the next start',
        );
      });
      throw error;
    }
    return { action: 'created', generation: this.#number(id) };
  }

  async #replace(id: ProjectionId, wanted: WantedProjection, payload: MountPayload): Promise<WriteResult> {
    const record = this.#record(id);
    const { audited = record.audited === true } = wanted;
    if (audited !== (record.audited === true)) throw auditIsFixed(record);
    if (wanted.secret && !isSecret(record)) this.#catalog.setSecret(id);
    const target = this.#target(id, record, wanted.secret || isSecret(record));
    if (record.immutable) {
      const { unchanged } = await target.inspect(payload);
      if (!unchanged || !wanted.immutable) {
        throw new DunnageError('IMMUTABLE', `${wanted.directory} is immutable`, {
          remedy: 'delete it and apply it again; content and the immutable field cannot be changed in place',
        });
      }
    }
    const { keep = record.keep } = wanted;
    // More are kept from this swap on; fewer only when it has succeeded.
    if (keep > record.keep) await this.#catalog.setKeep(id, keep);
    const { changed } = await this.#swap(target, payload);
    if (!changed) this.#noteSourceSeen(id, record);
    if (wanted.immutable !== record.immutable) this.#catalog.setImmutable(id, wanted.immutable);
    if (keep < record.keep) this.#options.onDropped(await this.#catalog.setKeep(id, keep));
    const configured = changed || wanted.immutable !== record.immutable || keep !== record.keep;
    return { action: configured ? 'configured' : 'unchanged', generation: this.#number(id) };
  }

  /** Of sources that are read all the time not every time is written down. */
  #noteSourceSeen(id: ProjectionId, { sourceSeenAtMs }: ProjectionRecord): void {
    const nowMs = this.#options.clock.nowMs();
    if (nowMs - sourceSeenAtMs >= limits.sourceSeenMs) this.#catalog.noteSourceSeen(id, nowMs);
  }

  /** Runs a task as the only change of a live projection. Throws NOT_FOUND, and what the task throws. */
  alter<T>(directory: string, task: (subject: ChangeSubject) => Promise<T>): Promise<T> {
    return this.#change(directory, async () => {
      const { id, record } = this.find(directory);
      const rollBack = async (payload: MountPayload, rollbackOf: number): Promise<RollbackResult> => {
        const target = this.#target(id, record, isSecret(record), rollbackOf);
        const { changed } = await this.#figures.write(() => this.#swap(target, validatePayload(payload)));
        return { changed, generation: this.#number(id) };
      };
      return await task({ id, record, rollBack });
    });
  }

  /** Throws NOT_FOUND if there is no live projection of that directory. */
  find(directory: string): { readonly id: ProjectionId; readonly record: ProjectionRecord } {
    this.#catalog.refresh();
    const id = this.#catalog.findProjection(directory);
    const record = id === undefined ? undefined : this.#catalog.projection(id);
    if (id === undefined || record?.state !== 'live' || record.generation === 0) throw notFound(directory);
    return { id, record };
  }

  /** Throws NOT_FOUND. Readers that hold something of it open read on. */
  async delete(directory: string): Promise<void> {
    await this.#mutex.run(directory, async () => {
      this.#catalog.refresh();
      const id = this.#catalog.findProjection(directory);
      if (id === undefined) throw notFound(directory);
      await this.#remove(id);
      this.#options.reactions?.forget(directory);
    });
    this.#options.onChanged?.(directory);
  }

  list(): ProjectionView[] {
    this.#catalog.refresh();
    const views: ProjectionView[] = [];
    for (const { record } of this.#catalog.projections()) {
      if (record.state === 'live') views.push(this.#view(record));
    }
    return views.sort((a, b) => (a.record.directory < b.record.directory ? -1 : 1));
  }

  /** Throws NOT_FOUND. */
  get(directory: string): ProjectionDetailView {
    const { record } = this.find(directory);
    const paths = [...this.#catalog.nodes(record.generation as GenerationId).files()];
    return { ...this.#view(record), paths, reactions: this.#options.reactions?.view(directory) };
  }

  /**
   * Finishes or undoes what an earlier daemon left half-done. One broken projection is logged and left for the next
   * start; it never stops this one.
   */
  async recover(): Promise<void> {
    this.#catalog.refresh();
    const unfinished = new Set([...this.#options.interrupted.entries()].map(({ projection }) => projection));
    for (const id of [...unfinished, ...this.#catalog.allUnsettled()]) {
      const record = this.#catalog.projection(id);
      if (record === undefined) continue;
      await this.#mutex
        .run(record.directory, () => this.#recoverOne(id, record))
        .catch((error: unknown) => {
          this.#options.log.error(
            { directory: record.directory, error: String(error) },
            'a projection could not be mended',
          );
        });
    }
    this.#discardStored();
  }

  /** Generations that were stored ahead of a swap which never came. */
  #discardStored(): void {
    this.#catalog.refresh();
    for (const id of [...this.#catalog.allStaged()]) this.#catalog.discard(id, this.#options.blobs);
  }

  async #recoverOne(id: ProjectionId, record: ProjectionRecord): Promise<void> {
    const target = this.#target(id, record, isSecret(record));
    this.#options.log.info({ directory: record.directory, state: record.state }, 'mending an interrupted change');
    if (record.state === 'creating' || record.state === 'deleting') {
      await this.#remove(id);
      return;
    }
    await target.sweep();
    await target.repairLinks();
  }

  /** The kernel has forgotten a dropped generation: its content goes, in a while. */
  forgotten(id: GenerationId): void {
    this.#removal.forgotten(id);
  }

  /** With a new mount nobody can hold a dropped generation. */
  async removeDropped(): Promise<void> {
    this.#catalog.refresh();
    for (const id of this.#catalog.allDropped()) this.#removal.forgotten(id);
    await this.#removal.run();
  }

  /** Whether the kernel has forgotten the dropped generation, so that nothing holds it any more. */
  isForgotten(id: GenerationId): boolean {
    return this.#removal.isForgotten(id);
  }

  /** Whether something is being written or deleted. */
  get isBusy(): boolean {
    return !this.#mutex.isIdle;
  }

  /** Whether the generation is dropped and still there. */
  isDropped(id: GenerationId): boolean {
    this.#catalog.refresh();
    return this.#catalog.isDropped(id);
  }

  /** Removes at once what waits for it. */
  async removeForgotten(): Promise<void> {
    await this.#removal.run();
  }

  /** Ends what runs in the background. */
  async close(): Promise<void> {
    await this.#removal.close();
  }

  async #remove(id: ProjectionId): Promise<void> {
    const record = this.#record(id);
    const target = this.#target(id, record, isSecret(record));
    await this.#catalog.beginDelete(id);
    await target.sweep();
    await target.removeNames();
    await this.#directories(record).remove(record.directory);
    await this.#options.announceLive?.(id);
    await this.#catalog.finishDelete(id);
  }

  async #swap(target: MountTarget, payload: MountPayload): Promise<{ readonly changed: boolean }> {
    const { clock, log, onStep, announceLive } = this.#options;
    const writer = new AtomicWriter<MountFile>(target, { clock, log, ...(onStep === undefined ? {} : { onStep }) });
    try {
      return await this.#figures.swap(() => writer.write(payload));
    } finally {
      // Also of a write that failed: its commit may have been made.
      await announceLive?.(target.projection);
    }
  }

  /** Throws NOT_SUPPORTED if it is audited and that cannot be done here. */
  #directories({ audited }: { readonly audited?: boolean | undefined }): ProjectionDirectories {
    if (audited !== true) return this.#plain;
    if (this.#audited === undefined) throw auditNotSupported();
    return this.#audited;
  }

  #target(projection: ProjectionId, record: ProjectionRecord, secret: boolean, rollbackOf?: number): MountTarget {
    const { directory, audited = false } = record;
    const { throughMount } = this.#directories(record);
    const protection = secret ? 'secret' : 'plain';
    const recent = this.#recent;
    return new MountTarget({
      ...this.#options,
      ...{ throughMount, projection, directory, protection, audited, recent, rollbackOf },
    });
  }

  #record(id: ProjectionId): ProjectionRecord {
    const record = this.#catalog.projection(id);
    if (record === undefined) throw new DunnageError('NOT_FOUND', 'the projection is gone');
    return record;
  }

  #number(id: ProjectionId): number {
    this.#catalog.refresh();
    return this.#record(id).number;
  }

  #view(record: ProjectionRecord): ProjectionView {
    const generation = record.generation === 0 ? undefined : this.#catalog.generation(record.generation);
    return {
      record,
      files: generation?.files ?? 0,
      sizeBytes: generation?.sizeBytes ?? 0,
      awaitingSource: isSecret(record) && record.generation !== 0 && this.#isAwaiting(record.generation),
    };
  }

  #isAwaiting(generation: GenerationId): boolean {
    for (const digest of this.#catalog.digests(generation)) if (this.#options.blobs.isSealedAway(digest)) return true;
    return false;
  }
}

/** For a path that is no file of it. */
export function noFile(directory: string, path: string): DunnageError {
  return new DunnageError('NOT_FOUND', `projection ${directory} has no file "${shown(path)}"`);
}

function auditIsFixed({ directory, audited = false }: ProjectionRecord): DunnageError {
  const is = audited ? 'is audited' : 'is not audited';
  return new DunnageError('IMMUTABLE', `${directory} ${is}, and that cannot be changed while it is mounted`, {
    remedy: 'delete it and apply it again',
  });
}

function notFound(directory: string): DunnageError {
  return new DunnageError('NOT_FOUND', `projection ${directory} does not exist`, {
    remedy: 'list them with: dunnage get projections',
  });
}
