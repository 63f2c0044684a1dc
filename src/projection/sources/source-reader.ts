/** Reads all sources of one spec, merges them, and remembers of each when it was seen and what was wrong with it. */
import { createHash } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { ErrorCode } from '../../errors/table.ts';
import type { BlobStore, PreparedBlob } from '../../store/blob-store.ts';
import type { Catalog } from '../catalog.ts';
import type { MountPayload } from '../payload.ts';
import { isSecret } from '../records.ts';
import { readHostSource } from './host-source.ts';
import { type MergePart, mergeSources } from './merge.ts';
import { readMetadataSource } from './metadata-source.ts';
import { holdsSecret, readObjectSource } from './object-source.ts';
import { type SourceContent, type SourceFile, selectFiles } from './source-content.ts';
import { type SourceSpec, sourceName, sourceTitle } from './source-spec.ts';
import type { KeptSpec } from './spec-table.ts';

export interface SourceProblem {
  readonly code: ErrorCode;
  readonly message: string;
  readonly atMs: number;
}

export interface SourceState {
  /** `configMap web`, `file /etc/app.conf`. */
  readonly source: string;
  /** When it was last read successfully. */
  readonly seenAtMs: number | undefined;
  /** Why it could not be read the last time. */
  readonly problem: SourceProblem | undefined;
}

export interface ReaderOptions {
  readonly catalog: Catalog;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly mountPoint: string;
}

export interface Reading {
  readonly payload: MountPayload;
  readonly secret: boolean;
  readonly warnings: readonly string[];
  /** Equal if nothing that a swap would show has changed. */
  readonly fingerprint: string;
  /** Gives up what the reading holds in the store; to be called when the write is over. */
  release(): void;
}

export class SourceReader {
  readonly #kept: KeptSpec;
  readonly #options: ReaderOptions;
  readonly #states: SourceState[];

  constructor(kept: KeptSpec, options: ReaderOptions, seenAtMs: number | undefined) {
    this.#kept = kept;
    this.#options = options;
    this.#states = kept.spec.sources.map((source) => ({ source: sourceName(source), seenAtMs, problem: undefined }));
  }

  get states(): readonly SourceState[] {
    return this.#states;
  }

  /** @throws DunnageError of the first source that cannot be read, naming it, or of a collision. */
  async read(signal: AbortSignal): Promise<Reading> {
    const { catalog, blobs } = this.#options;
    const { spec } = this.#kept;
    catalog.refresh();
    const secret =
      this.#isProtected() || spec.sources.some((source) => 'directory' in source && holdsSecret(source, catalog));
    const prepared: PreparedBlob[] = [];
    const release = (): void => {
      for (const blob of prepared.splice(0)) blobs.abandon(blob);
    };
    try {
      const contents = await this.#readAll(secret, prepared, signal);
      const parts = spec.sources.map((source, index): MergePart => {
        return { title: sourceTitle(source, index), files: contents[index]?.files ?? new Map() };
      });
      const merged = mergeSources(spec, [...parts, { title: 'spec.files', files: this.#inlineFiles() }]);
      const leftOut = contents.flatMap(({ warnings }, index) =>
        warnings.map((warning) => `${parts[index]?.title}: ${warning}`),
      );
      const fingerprint = this.#fingerprint(merged.payload, secret);
      return { ...merged, secret, warnings: [...leftOut, ...merged.warnings], fingerprint, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** What has held content of a Secret stays protected. */
  #isProtected(): boolean {
    const { catalog } = this.#options;
    const id = catalog.findProjection(this.#kept.metadata.name);
    const record = id === undefined ? undefined : catalog.projection(id);
    return record !== undefined && isSecret(record);
  }

  async #readAll(secret: boolean, prepared: PreparedBlob[], signal: AbortSignal): Promise<SourceContent[]> {
    const { sources } = this.#kept.spec;
    const outcomes = await Promise.allSettled(
      sources.map(async (source) => await this.#readOne(source, secret, prepared, signal)),
    );
    const atMs = this.#options.clock.nowMs();
    let failure: DunnageError | undefined;
    const contents: SourceContent[] = [];
    outcomes.forEach((outcome, index) => {
      const source = sources[index] as SourceSpec;
      const before = this.#states[index];
      if (outcome.status === 'fulfilled') {
        contents.push(outcome.value);
        this.#states[index] = { source: sourceName(source), seenAtMs: atMs, problem: undefined };
        return;
      }
      const error = inSource(outcome.reason, sourceTitle(source, index));
      failure ??= error;
      const problem = { code: error.code, message: error.message, atMs };
      this.#states[index] = { source: sourceName(source), seenAtMs: before?.seenAtMs, problem };
    });
    if (failure !== undefined) throw failure;
    return contents;
  }

  async #readOne(
    source: SourceSpec,
    secret: boolean,
    prepared: PreparedBlob[],
    signal: AbortSignal,
  ): Promise<SourceContent> {
    switch (source.kind) {
      case 'literal': {
        const files = new Map<string, SourceFile>();
        for (const [key, content] of source.content) files.set(key, { content });
        return { files: selectFiles(files, source), warnings: [] };
      }
      case 'metadata':
        return { files: readMetadataSource(source, this.#kept.metadata), warnings: [] };
      case 'file':
      case 'directory':
        return await readHostSource(source, { ...this.#options, signal });
      case 'configMap':
      case 'secret':
      case 'projection':
        return await readObjectSource(source, { ...this.#options, secret, prepared });
    }
  }

  #inlineFiles(): Map<string, SourceFile> {
    return new Map(this.#kept.spec.files.map(({ path, data, ...rest }) => [path, { ...rest, content: data }]));
  }

  #fingerprint(payload: MountPayload, secret: boolean): string {
    const { blobs } = this.#options;
    const hash = createHash('sha256');
    for (const path of [...payload.keys()].sort()) {
      const file = payload.get(path);
      if (file === undefined) continue;
      const digest = 'stored' in file ? file.stored.digest : blobs.digestOf(file.data, secret ? 'secret' : 'plain');
      hash.update(JSON.stringify([path, file.mode, file.uid ?? null, file.gid ?? null, digest.toString('hex')]));
    }
    return hash.digest('hex');
  }
}

/** The same error, with the source it is about. */
function inSource(error: unknown, title: string): DunnageError {
  if (error instanceof DunnageError) {
    const remedy = error.remedy === undefined ? {} : { remedy: error.remedy };
    return new DunnageError(error.code, `${title}: ${error.message}`, { ...remedy, cause: error });
  }
  return new DunnageError('INTERNAL', `${title}: ${String(error)}`, { cause: error });
}
