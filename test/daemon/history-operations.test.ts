import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createHistoryOperations } from '../../src/daemon/history-operations.ts';
import type { HistoryOperations } from '../../src/server/history-operations.ts';
import { TreeHarness, wanted } from '../projection/helpers/tree-harness.ts';

let harness: TreeHarness;
let operations: HistoryOperations;
let hasSources: boolean;
beforeEach(async () => {
  harness = await TreeHarness.create();
  hasSources = false;
  operations = createHistoryOperations(harness.history(), () => hasSources);
  const object = { kind: 'ConfigMap', namespace: 'prod', name: 'web', keep: 10 } as const;
  for (const key of ['1', '2']) await harness.service.write(wanted('prod.configmap.web', { key }, object));
});
afterEach(() => harness.close());

const IDENTITY = { kind: 'ConfigMap', namespace: 'prod', name: 'web', directory: 'prod.configmap.web' };

describe('history operations', () => {
  it('answer for the object they are asked about', async () => {
    const { limit, generations, ...identity } = await operations.projectionHistory('ConfigMap', 'prod', 'web');
    assert.deepEqual([limit, generations.map(({ generation }) => generation), identity], [10, [2, 1], IDENTITY]);
    const range = { from: undefined, to: undefined };
    const { files, ...diff } = await operations.diffProjection('ConfigMap', 'prod', 'web', range);
    assert.deepEqual(diff, { ...IDENTITY, from: 1, to: 2 });
    assert.deepEqual(
      files.map(({ path }) => path),
      ['key'],
    );
    assert.deepEqual(await operations.purgeHistory('ConfigMap', 'prod', 'web', 1), {
      ...IDENTITY,
      dropped: [1],
      kept: [2],
    });
  });

  it('say what became of a rollback and what will undo it', async () => {
    assert.deepEqual(await operations.rollbackProjection('ConfigMap', 'prod', 'web', undefined), {
      ...{ ...IDENTITY, action: 'rolled-back', to: 1, generation: 3, warnings: [] },
    });
    hasSources = true;
    assert.deepEqual(await operations.rollbackProjection('ConfigMap', 'prod', 'web', 3), {
      ...{ ...IDENTITY, action: 'unchanged', to: 3, generation: 3 },
      warnings: ['the content comes from sources: this holds until one of them changes'],
    });
  });

  it('refuse names that no object has', async () => {
    await assert.rejects(operations.projectionHistory('Projection', 'prod', 'web'), { code: 'INVALID_ARGUMENT' });
    await assert.rejects(operations.projectionHistory('ConfigMap', 'default', 'web'), { code: 'NOT_FOUND' });
  });
});
