import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { GenerationId, ProjectionId } from '../../../src/base/ids.ts';
import { buildNodes, GenerationNodes } from '../../../src/projection/generation-nodes.ts';
import { type SummarizedGeneration, summarize } from '../../../src/projection/history/generation-summary.ts';
import { plainDigest } from '../../../src/store/digest.ts';

function generation(number: number, files: Record<string, string>, rollbackOf?: number): SummarizedGeneration {
  const contents = Object.entries(files).map(
    ([path, text]) =>
      [
        path,
        {
          ...{ mode: 0o644, uid: undefined, gid: undefined },
          sizeBytes: text.length,
          digest: plainDigest(Buffer.from(text)),
        },
      ] as const,
  );
  return {
    load: () => new GenerationNodes((number * 100) as GenerationId, buildNodes(new Map(contents))),
    record: {
      projection: 1 as ProjectionId,
      directory: `..${number}`,
      number,
      ...(rollbackOf === undefined ? {} : { rollbackOf }),
      createdAtMs: number * 1000,
      nodes: 2 + contents.length,
      directories: 0,
      files: contents.length,
      sizeBytes: Object.values(files).join('').length,
    },
  };
}

it('generations are summed up newest first, each with what it changed', async () => {
  const summaries = await summarize(
    [generation(5, { a: '1' }, 3), generation(4, { b: '22', c: '3' }), generation(3, { a: '1' })],
    { uid: 0, gid: 0 },
  );
  assert.deepEqual(summaries, [
    {
      ...{ generation: 5, live: true, directory: '..5', createdAtMs: 5000, files: 1, sizeBytes: 1 },
      ...{ changes: { added: 1, removed: 2, modified: 0 }, rollbackOf: 3 },
    },
    {
      ...{ generation: 4, live: false, directory: '..4', createdAtMs: 4000, files: 2, sizeBytes: 3 },
      ...{ changes: { added: 2, removed: 1, modified: 0 }, rollbackOf: undefined },
    },
    {
      ...{ generation: 3, live: false, directory: '..3', createdAtMs: 3000, files: 1, sizeBytes: 1 },
      ...{ changes: undefined, rollbackOf: undefined },
    },
  ]);
});

it('the first generation of all has changed nothing that anybody knows', async () => {
  const [only] = await summarize([generation(1, {})], { uid: 0, gid: 0 });
  assert.deepEqual([only?.live, only?.changes], [true, undefined]);
});

it('a generation that is dropped meanwhile is left out, and what it changed into is not known', async () => {
  const gone = { ...generation(2, { a: '2' }), load: () => undefined };
  const summaries = await summarize([generation(3, { a: '3' }), gone, generation(1, { a: '1' })], { uid: 0, gid: 0 });
  assert.deepEqual(
    summaries.map((summary) => [summary.generation, summary.live, summary.changes]),
    [
      [3, true, undefined],
      [1, false, undefined],
    ],
  );
});
