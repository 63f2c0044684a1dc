/** What a list of kept generations says of each: its size, what it changed, where its content came from. */
import type { GenerationNodes } from '../generation-nodes.ts';
import type { GenerationRecord } from '../records.ts';
import { fileChanges, fileStates } from './file-changes.ts';

export interface ChangeCounts {
  readonly added: number;
  readonly removed: number;
  readonly modified: number;
}

export interface GenerationSummary {
  /** Its number; they count from 1 and are never used twice. */
  readonly generation: number;
  /** True for the one that `..data` names. */
  readonly live: boolean;
  /** `..<timestamp>.<random>`. */
  readonly directory: string;
  readonly createdAtMs: number;
  readonly files: number;
  readonly sizeBytes: number;
  /** Files that differ from the generation before; undefined if that one is not kept. */
  readonly changes: ChangeCounts | undefined;
  /** Number of the generation whose content a rollback took; undefined if the content came from the source. */
  readonly rollbackOf: number | undefined;
}

export interface SummarizedGeneration {
  readonly record: GenerationRecord;
  /** Its files; undefined if it was dropped meanwhile. */
  readonly load: () => GenerationNodes | undefined;
}

/** Newest first, as they are given; the first is the live one. Lets others work between two generations. */
export async function summarize(
  generations: readonly SummarizedGeneration[],
  owner: { readonly uid: number; readonly gid: number },
): Promise<GenerationSummary[]> {
  const summaries: GenerationSummary[] = [];
  // One list of files is kept, not all: there may be a hundred, of a hundred thousand files each.
  let before: { readonly number: number; readonly nodes: GenerationNodes } | undefined;
  for (const [position, { record, load }] of [...generations.entries()].reverse()) {
    const nodes = load();
    if (nodes === undefined) continue;
    const isNext = before?.number === record.number - 1;
    summaries.push({
      generation: record.number,
      live: position === 0,
      directory: record.directory,
      createdAtMs: record.createdAtMs,
      files: record.files,
      sizeBytes: record.sizeBytes,
      changes: isNext && before !== undefined ? countChanges(before.nodes, nodes, owner) : undefined,
      rollbackOf: record.rollbackOf,
    });
    before = { number: record.number, nodes };
    await new Promise(setImmediate);
  }
  return summaries.reverse();
}

function countChanges(
  before: GenerationNodes,
  after: GenerationNodes,
  owner: { readonly uid: number; readonly gid: number },
): ChangeCounts {
  const counts = { added: 0, removed: 0, modified: 0 };
  const changes = fileChanges(fileStates(before.files(), owner), fileStates(after.files(), owner));
  for (const { change } of changes) counts[change] += 1;
  return counts;
}
