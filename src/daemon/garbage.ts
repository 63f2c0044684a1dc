/**
 * `gc`: removes what nothing refers to any more, and tells what is still held and by whom. A daemon does the same by itself
 * when the kernel forgets a generation and at every start; this is for whoever wants the room now, or wants to see.
 */
import type { GenerationId } from '../base/ids.ts';
import type { CatalogScene } from '../projection/check/catalog-scene.ts';
import type { LookupTable } from '../projection/lookup-table.ts';
import type { ProjectionService } from '../projection/projection-service.ts';
import type { GenerationRecord } from '../projection/records.ts';
import type { GcHeld, GcReport } from '../server/operations.ts';
import { blobIndexCheck } from '../store/check/blob-index.ts';
import { blobLeftoversCheck } from '../store/check/blob-leftovers.ts';
import type { BlobScene } from '../store/check/blob-scene.ts';
import type { Issue } from '../store/check/finding.ts';
import type { Digest } from '../store/digest.ts';

export interface GarbagePort {
  /** Looks now; tells for each dropped generation why it cannot go yet, undefined if it can. */
  readonly holders: () => (id: GenerationId) => string | undefined;
  /** Removes dropped generations that nobody holds, and the content that goes with them. Resolves to those that it could not remove. */
  readonly remove: (ids: readonly GenerationId[]) => Promise<readonly GenerationId[]>;
}

/** `readLookups`: the table in which the FUSE thread counts what the kernel holds, as it is now. */
export function servingGarbagePort(
  projections: Pick<ProjectionService, 'isForgotten' | 'removeForgotten' | 'isDropped'>,
  readLookups: () => LookupTable,
): GarbagePort {
  return {
    holders() {
      const lookups = readLookups();
      return (id) => {
        if (projections.isForgotten(id)) return undefined;
        return lookups.count(id) > 0 ? 'readers hold it open' : 'programs that looked it up moments ago';
      };
    },
    async remove(ids) {
      await projections.removeForgotten();
      return ids.filter((id) => projections.isDropped(id));
    },
  };
}

interface Dropped {
  readonly id: GenerationId;
  readonly record: GenerationRecord;
  readonly heldBy: string | undefined;
}

export async function collectGarbage(
  catalog: CatalogScene,
  blobs: BlobScene,
  port: GarbagePort,
  dryRun: boolean,
): Promise<GcReport> {
  const { store } = catalog.options;
  store.refresh();
  const dropped = droppedGenerations(catalog, port);
  const removable = dropped.filter(({ heldBy }) => heldBy === undefined);
  const freed = contentOnlyOf(catalog, blobs, removable);
  const left = dryRun ? [] : await port.remove(removable.map(({ id }) => id));
  const leftovers = await removeLeftovers(blobs, dryRun);
  if (!dryRun) await store.flush();
  const held: GcHeld[] = dropped
    .filter(({ id, heldBy }) => heldBy !== undefined || left.includes(id))
    .map(({ record, heldBy }) => ({
      object: `${catalog.nameOf(record.projection)}, generation ${record.number === 0 ? record.directory : record.number}`,
      sizeBytes: record.sizeBytes,
      by: heldBy ?? 'damage: see dunnage fsck',
    }));
  return {
    dryRun,
    generations: removable.length - left.length,
    blobs: freed.blobs + leftovers.blobs,
    files: leftovers.files,
    sizeBytes: freed.sizeBytes + leftovers.sizeBytes,
    held,
    history: historyOf(catalog),
  };
}

function droppedGenerations(catalog: CatalogScene, port: GarbagePort): readonly Dropped[] {
  const found: Dropped[] = [];
  const holderOf = port.holders();
  for (const { key } of catalog.dropped.rows()) {
    const record = key === undefined ? undefined : catalog.generations.get(key);
    if (key === undefined || record === undefined || catalog.rolesOf(key, record.projection).kept) continue;
    found.push({ id: key as GenerationId, record, heldBy: holderOf(key as GenerationId) });
  }
  return found;
}

interface Freed {
  readonly blobs: number;
  readonly sizeBytes: number;
}

/** Content that is in these generations and in no other. */
function contentOnlyOf(catalog: CatalogScene, blobs: BlobScene, generations: readonly Dropped[]): Freed {
  const going = new Set<number>(generations.map(({ id }) => id));
  if (going.size === 0) return { blobs: 0, sizeBytes: 0 };
  const only = new Map<string, Digest>();
  for (const id of going) {
    for (const node of catalog.nodes.get(id) ?? []) {
      if (node.kind === 'file') only.set(node.digest.toString('hex'), node.digest);
    }
  }
  for (const { key, value } of catalog.nodes.rows()) {
    if (key === undefined || going.has(key)) continue;
    for (const node of value ?? []) if (node.kind === 'file') only.delete(node.digest.toString('hex'));
  }
  let sizeBytes = 0;
  for (const digest of only.values()) sizeBytes += blobs.records.get(digest)?.sizeBytes ?? 0;
  return { blobs: only.size, sizeBytes };
}

const LEFTOVERS: ReadonlySet<string> = new Set([
  'blob-unreferenced',
  'blob-row-dangling',
  'blob-file-dangling',
  'temporary-file',
]);

async function removeLeftovers(blobs: BlobScene, dryRun: boolean): Promise<Freed & { readonly files: number }> {
  const total = { blobs: 0, files: 0, sizeBytes: 0 };
  for (const check of [blobIndexCheck(blobs), blobLeftoversCheck(blobs)]) {
    blobs.options.store.refresh();
    const issues: Issue[] = [];
    for await (const issue of check.find()) if (LEFTOVERS.has(issue.code)) issues.push(issue);
    for (const issue of issues) {
      if (!dryRun) await issue.repair?.();
      if (issue.code === 'blob-unreferenced') total.blobs += 1;
      // The bytes of unreferenced content are rows and files that are found when its record is gone.
      else total.files += 1;
      if (dryRun || issue.code !== 'blob-unreferenced') total.sizeBytes += issue.freedBytes ?? 0;
    }
  }
  return total;
}

/** What is kept on purpose: the generations before the published ones. */
function historyOf(catalog: CatalogScene): GcReport['history'] {
  let generations = 0;
  for (const { value } of catalog.projections.rows()) {
    if (value !== undefined) generations += value.history.filter((id) => id !== value.generation).length;
  }
  return { generations };
}
