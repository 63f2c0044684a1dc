/**
 * The generations that a projection keeps: list them, compare two of them, go back to one, drop the old ones.
 *
 * A rollback is a write of content that is stored already: the same swap, with a new number, and no byte is copied. It is
 * made under the same lock as writes, so nothing comes between the choice of a generation and the swap. Main thread.
 */
import type { GenerationId } from '../../base/ids.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { BlobStore, PreparedBlob } from '../../store/blob-store.ts';
import type { Digest } from '../../store/digest.ts';
import type { Catalog } from '../catalog.ts';
import { shown } from '../path-rules.ts';
import type { MountPayload, StoredFile } from '../payload.ts';
import type { ProjectionService } from '../projection-service.ts';
import { type GenerationRecord, isSecret, type ProjectionRecord } from '../records.ts';
import { fileChanges, fileStates } from './file-changes.ts';
import { describeDifferences, type FileDifference } from './file-differences.ts';
import { type GenerationSummary, summarize } from './generation-summary.ts';

export interface ProjectionHistoryOptions {
  readonly catalog: Catalog;
  readonly blobs: BlobStore;
  readonly projections: ProjectionService;
  /** Owner of files that have none of their own. */
  readonly owner: { readonly uid: number; readonly gid: number };
  readonly onDropped: (ids: readonly GenerationId[]) => void;
}

/** A published generation that is kept. */
export interface KeptGeneration {
  readonly id: GenerationId;
  readonly record: GenerationRecord;
}

export interface HistoryView {
  readonly limit: number;
  /** Newest first. */
  readonly generations: readonly GenerationSummary[];
}

export interface DiffView {
  readonly from: number;
  readonly to: number;
  readonly files: readonly FileDifference[];
}

export interface RollbackView {
  readonly changed: boolean;
  /** Whose content is live now. */
  readonly to: number;
  /** Number of the live generation. */
  readonly generation: number;
}

export class ProjectionHistory {
  readonly #options: ProjectionHistoryOptions;

  constructor(options: ProjectionHistoryOptions) {
    this.#options = options;
  }

  /** Throws NOT_FOUND. */
  async list(directory: string): Promise<HistoryView> {
    const { catalog } = this.#options;
    const { record } = this.#options.projections.find(directory);
    const kept = this.#kept(record).map(({ id, record: generation }) => ({
      record: generation,
      load: () => (catalog.generation(id) === undefined ? undefined : catalog.nodes(id)),
    }));
    return { limit: record.keep, generations: await summarize(kept, this.#options.owner) };
  }

  /**
   * `from` undefined: the one before `to`; `to` undefined: the live one.
   * Throws NOT_FOUND; STALE if one of the two went while it was read; CORRUPT.
   */
  async diff(directory: string, from: number | undefined, to: number | undefined): Promise<DiffView> {
    const { catalog, blobs, owner } = this.#options;
    const { record } = this.#options.projections.find(directory);
    const newer = this.#choose(record, to ?? record.number);
    const older = from === undefined ? this.#before(record, newer) : this.#choose(record, from);
    const changes = fileChanges(
      fileStates(catalog.nodes(older.id).files(), owner),
      fileStates(catalog.nodes(newer.id).files(), owner),
    );
    try {
      const files = await describeDifferences({ changes, secret: isSecret(record), contents: blobs });
      return { from: older.record.number, to: newer.record.number, files };
    } catch (error) {
      catalog.refresh();
      const gone = [older, newer].find(({ id }) => catalog.generation(id) === undefined);
      if (gone === undefined) throw error;
      throw new DunnageError(
        'STALE',
        `generation ${gone.record.number} of ${directory} was dropped while it was read`,
        {
          remedy: `see what is kept with: dunnage projection history`,
          cause: error,
        },
      );
    }
  }

  /**
   * Publishes the content of generation `to` (undefined: the one before the live one) as a new generation.
   * Throws NOT_FOUND, IMMUTABLE, AWAITING_SOURCE (a Secret sealed with a key that is gone), NO_SPACE, IO.
   */
  rollback(directory: string, to: number | undefined): Promise<RollbackView> {
    return this.#options.projections.alter(directory, async ({ record, rollBack }) => {
      if (record.immutable) {
        throw new DunnageError('IMMUTABLE', `${directory} is immutable`, {
          remedy: 'delete it and apply it again; the content of an immutable object cannot be changed in place',
        });
      }
      const live = this.#choose(record, record.number);
      const wanted = to === undefined ? this.#before(record, live) : this.#choose(record, to);
      const prepared: PreparedBlob[] = [];
      try {
        const { number } = wanted.record;
        return { to: number, ...(await rollBack(this.#payload(directory, wanted, prepared), number)) };
      } finally {
        for (const blob of prepared) this.#options.blobs.abandon(blob);
      }
    });
  }

  /** Drops all but the newest `count` generations; resolves to the numbers of the dropped and of the kept ones. Throws NOT_FOUND. */
  purge(
    directory: string,
    count: number,
  ): Promise<{ readonly dropped: readonly number[]; readonly kept: readonly number[] }> {
    const { catalog, onDropped } = this.#options;
    return this.#options.projections.alter(directory, async ({ id, record }) => {
      const all = this.#kept(record);
      const dropped = new Set(await catalog.purge(id, count));
      onDropped([...dropped]);
      const numbers = (isDropped: boolean): number[] =>
        all
          .filter((generation) => dropped.has(generation.id) === isDropped)
          .map((generation) => generation.record.number);
      return { dropped: numbers(true), kept: numbers(false) };
    });
  }

  /** Newest first. */
  #kept(record: ProjectionRecord): KeptGeneration[] {
    return record.history.map((id) => {
      const generation = this.#options.catalog.generation(id);
      if (generation === undefined) throw new DunnageError('CORRUPT', `the store has no record of generation ${id}`);
      return { id, record: generation };
    });
  }

  #choose(record: ProjectionRecord, number: number): KeptGeneration {
    const kept = this.#kept(record);
    const found = kept.find((generation) => generation.record.number === number);
    if (found !== undefined) return found;
    throw new DunnageError('NOT_FOUND', `generation ${number} of ${record.directory} is not kept`, {
      remedy: `kept are ${kept.map((generation) => generation.record.number).join(', ')}`,
    });
  }

  #before(record: ProjectionRecord, { record: { number } }: KeptGeneration): KeptGeneration {
    const found = this.#kept(record).find((generation) => generation.record.number < number);
    if (found !== undefined) return found;
    throw new DunnageError('NOT_FOUND', `no generation before ${number} of ${record.directory} is kept`, {
      remedy: 'how many are kept is said by spec.historyLimit, or the annotation dunnage/history-limit',
    });
  }

  #payload(directory: string, { id, record }: KeptGeneration, prepared: PreparedBlob[]): MountPayload {
    const { catalog, blobs } = this.#options;
    const files = new Map<string, StoredFile>();
    for (const { path, file } of catalog.nodes(id).files()) {
      if (!blobs.isReadable(file.digest)) throw this.#cannotRead(directory, record.number, path, file.digest);
      const stored = blobs.prepareExisting(file.digest);
      prepared.push(stored);
      const { mode, uid, gid } = file;
      files.set(path, {
        stored,
        mode,
        ...(uid === undefined ? {} : { uid }),
        ...(gid === undefined ? {} : { gid }),
      });
    }
    return files;
  }

  #cannotRead(directory: string, number: number, path: string, digest: Digest): DunnageError {
    const remedy = 'Choose another generation, or apply the object again from its source.';
    return this.#options.blobs.isSealedAway(digest)
      ? new DunnageError('AWAITING_SOURCE', `generation ${number} of ${directory} is sealed with a key that is gone`, {
          remedy,
        })
      : new DunnageError('CORRUPT', `generation ${number} of ${directory} is damaged: ${shown(path)} cannot be read`, {
          remedy,
        });
  }
}
