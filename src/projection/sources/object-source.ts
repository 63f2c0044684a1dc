/** Sources that are objects of this daemon: ConfigMaps, Secrets and other Projections, as their live generation has them. */
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { BlobStore, PreparedBlob } from '../../store/blob-store.ts';
import type { Catalog } from '../catalog.ts';
import type { FileNode } from '../generation-nodes.ts';
import { isSecret } from '../records.ts';
import { type SourceContent, type SourceFile, selectFiles } from './source-content.ts';
import { type ObjectSource, sourceName } from './source-spec.ts';

export interface ObjectSourceOptions {
  readonly catalog: Catalog;
  readonly blobs: BlobStore;
  /** Whether the projection that is made is protected as a Secret is. */
  readonly secret: boolean;
  /** Content that is referred to where it is; the caller abandons it when the write is over. */
  readonly prepared: PreparedBlob[];
}

/** Whether what is made from the source must be protected as a Secret is. */
export function holdsSecret(source: ObjectSource, catalog: Catalog): boolean {
  if (source.kind === 'secret') return true;
  const id = catalog.findProjection(source.directory);
  const record = id === undefined ? undefined : catalog.projection(id);
  return record !== undefined && isSecret(record);
}

/** @throws DunnageError NOT_FOUND (object or key), AWAITING_SOURCE, CORRUPT. */
export async function readObjectSource(source: ObjectSource, options: ObjectSourceOptions): Promise<SourceContent> {
  const { catalog } = options;
  catalog.refresh();
  const id = catalog.findProjection(source.directory);
  const record = id === undefined ? undefined : catalog.projection(id);
  if (record?.state !== 'live' || record.generation === 0) {
    if (source.optional === true) return { files: new Map(), warnings: [] };
    throw new DunnageError('NOT_FOUND', `${sourceName(source)} does not exist`, {
      remedy: 'apply it first, or mark the source optional',
    });
  }
  // Everything is collected before the first await: afterwards the generation may be gone from the store.
  const files = [...catalog.nodes(record.generation).files()];
  const isWanted = wantedKeys(source);
  const pending: Promise<readonly [string, SourceFile]>[] = [];
  for (const { path, file } of files) if (isWanted(path)) pending.push(readFile(source, path, file, options));
  const available = new Map(await allSettled(pending));
  return { files: selectFiles(available, source), warnings: [] };
}

async function readFile(
  source: ObjectSource,
  path: string,
  file: FileNode,
  { blobs, secret, prepared }: ObjectSourceOptions,
): Promise<readonly [string, SourceFile]> {
  if (!blobs.isReadable(file.digest)) {
    throw new DunnageError('AWAITING_SOURCE', `the content of ${sourceName(source)} is not readable`, {
      remedy: `apply it again from its source`,
    });
  }
  // Keys of ConfigMaps and Secrets have no mode of their own.
  const own = source.kind === 'projection' ? owned(file) : {};
  const blob = blobs.prepareExisting(file.digest);
  if ((blob.protection === 'secret') === secret) {
    prepared.push(blob);
    return [path, { ...own, content: blob }];
  }
  try {
    return [path, { ...own, content: Uint8Array.from(await blobs.read(file.digest, 0, file.sizeBytes)) }];
  } finally {
    blobs.abandon(blob);
  }
}

function owned({ mode, uid, gid }: FileNode): Pick<SourceFile, 'ownMode' | 'uid' | 'gid'> {
  return { ownMode: mode, ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }) };
}

function wantedKeys({ items = [] }: ObjectSource): (path: string) => boolean {
  if (items.length === 0) return () => true;
  const keys = new Set(items.map(({ key }) => key));
  return (path) => keys.has(path);
}

/** Waits for all, so that nothing is prepared after a failure was reported. */
async function allSettled<T>(pending: readonly Promise<T>[]): Promise<T[]> {
  const outcomes = await Promise.allSettled(pending);
  return outcomes.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  });
}
