import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ContentCounter } from '../../src/projection/content-totals.ts';
import { TreeHarness, wanted } from './helpers/tree-harness.ts';

test('ContentCounter.totals adds up every generation that has content', async (context) => {
  const harness = await TreeHarness.create();
  context.after(() => harness.close());
  const counter = new ContentCounter(harness.store);
  assert.deepEqual(await counter.totals(), { generations: 0, sizeBytes: 0 });
  await harness.service.write(wanted('one', { a: '12345', b: '12345' }));
  await harness.service.write(wanted('two', { a: '12345' }));
  assert.deepEqual(await counter.totals(), { generations: 2, sizeBytes: 15 });
});
