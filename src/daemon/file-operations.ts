/**
 * Single files of a Projection through the control API. Content is stored while it arrives, before the projection's turn is asked
 * for: a slow upload holds nobody up, and one that is broken off leaves nothing.
 */
import type { Log } from '../base/log.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { ChangedFile, FileChanges } from '../projection/file-changes.ts';
import { projectionDirectory } from '../projection/manifests/names.ts';
import { shown, validateAndCleanPath } from '../projection/path-rules.ts';
import { noFile, type ProjectionService } from '../projection/projection-service.ts';
import type { SourceService } from '../projection/sources/source-service.ts';
import type { ApplyResult, ControlOperations, IncomingFile, OutgoingFile } from '../server/operations.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { Digest } from '../store/digest.ts';

export type FileOperations = Pick<ControlOperations, 'writeFile' | 'writeFiles' | 'removeFile' | 'readFile'>;

export interface FileOperationsOptions {
  readonly projections: ProjectionService;
  /** Refuses what is not to be written singly. */
  readonly sources: Pick<SourceService, 'refuseWrite'>;
  readonly blobs: BlobStore;
  readonly log: Log;
}

/** Read, and handed to the socket, at once. */
const READ_BYTES = 1024 * 1024;

export function createFileOperations(options: FileOperationsOptions): FileOperations {
  return {
    async writeFile(name, file) {
      return await writeFiles(options, name, only(file));
    },

    async writeFiles(name, files) {
      return await writeFiles(options, name, files);
    },

    async removeFile(name, path) {
      const removed = new Set([validateAndCleanPath(path)]);
      return await change(options, name, { files: new Map<string, ChangedFile>(), removed });
    },

    readFile(name, path): Promise<OutgoingFile> {
      const directory = projectionDirectory('Projection', 'default', name);
      const cleaned = validateAndCleanPath(path);
      const found = options.projections.get(directory).paths.find((file) => file.path === cleaned);
      if (found === undefined) throw noFile(directory, cleaned);
      if (options.projections.protection(directory) === 'secret') throw notShown(directory);
      const { sizeBytes, digest } = found.file;
      return Promise.resolve({ sizeBytes, content: contentOf(options.blobs, digest, sizeBytes) });
    },
  };
}

function notShown(directory: string): DunnageError {
  return new DunnageError(
    'PERMISSION_DENIED',
    `${directory} holds content of a Secret, which the control API does not show`,
    {
      remedy: 'read it in the tree: dunnage path tells where it is',
    },
  );
}

async function* only(file: IncomingFile): AsyncGenerator<IncomingFile> {
  yield file;
}

async function writeFiles(
  options: FileOperationsOptions,
  name: string,
  incoming: AsyncIterable<IncomingFile>,
): Promise<ApplyResult> {
  const { blobs, projections, sources } = options;
  const directory = projectionDirectory('Projection', 'default', name);
  // What can be said before anything is read is said then.
  sources.refuseWrite(directory);
  const protection = projections.protection(directory);
  const files = new Map<string, ChangedFile>();
  try {
    for await (const { path, content, mode, uid, gid } of incoming) {
      const cleaned = validateAndCleanPath(path);
      if (files.has(cleaned)) throw new DunnageError('INVALID_ARGUMENT', `"${shown(path)}" is given twice`);
      const stored = await blobs.prepareStream(content, protection);
      files.set(cleaned, {
        stored,
        ...(mode === undefined ? {} : { mode }),
        ...(uid === undefined ? {} : { uid }),
        ...(gid === undefined ? {} : { gid }),
      });
    }
    return await change(options, name, { files, removed: new Set<string>() });
  } catch (error) {
    giveUp(options, files);
    await collect(options);
    throw error;
  } finally {
    giveUp(options, files);
  }
}

function giveUp({ blobs }: FileOperationsOptions, files: ReadonlyMap<string, ChangedFile>): void {
  for (const { stored } of files.values()) blobs.abandon(stored);
}

/** What a failed write has stored goes at once; if that fails, with the next content that goes. */
async function collect({ blobs, log }: FileOperationsOptions): Promise<void> {
  try {
    await blobs.collect();
  } catch (error) {
    log.warn({ error: String(error) }, 'content of a write that failed is removed later');
  }
}

async function change(
  { projections, sources }: FileOperationsOptions,
  name: string,
  changes: FileChanges,
): Promise<ApplyResult> {
  const directory = projectionDirectory('Projection', 'default', name);
  sources.refuseWrite(directory);
  const object = { kind: 'Projection', namespace: 'default', name, directory } as const;
  const result = await projections.changeFiles({ ...object, immutable: false, secret: false }, changes);
  return { ...object, ...result };
}

/** Held while it is read: a swap meanwhile does not take it away. */
async function* contentOf(blobs: BlobStore, digest: Digest, sizeBytes: number): AsyncGenerator<Uint8Array> {
  const held = blobs.prepareExisting(digest);
  try {
    for (let offset = 0; offset < sizeBytes; offset += READ_BYTES) {
      yield await blobs.readPrepared(held, offset, READ_BYTES);
    }
  } finally {
    blobs.abandon(held);
  }
}
