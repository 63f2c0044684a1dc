import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LiveNodes, projectionNode } from '../../../src/projection/live/live-nodes.ts';
import { numberKey } from '../../../src/store/codecs.ts';
import { DamagedCatalog } from './damaged-catalog.ts';

test('numbers and names of the live view lead to each other, or go', async (t) => {
  const made = await DamagedCatalog.make(t);
  const nodes = new LiveNodes(made.store);
  const root = projectionNode(made.web);
  const wanted = [
    { name: 'a.txt', kind: 'file' },
    { name: 'c', kind: 'file' },
    { name: 'sub', kind: 'directory' },
  ] as const;
  const [first, second, third] = nodes.assign(root, wanted) as [number, number, number];
  assert.deepEqual((await made.check()).remaining, []);
  made.change(() => {
    made.raw('live-nodes').put(numberKey.encode(first), Buffer.from('[torn'));
    made.raw('live-nodes').remove(numberKey.encode(second));
  });
  await made.mends(['row-dangling', 'row-dangling', 'row-dangling'].slice(0, 3));
  const after = new LiveNodes(made.store);
  assert.equal(after.find(made.web, 'sub', 'directory'), third);
  assert.equal(after.find(made.web, 'a.txt', 'file'), undefined);
  assert.equal(after.find(made.web, 'c', 'file'), undefined);
});

test('the counter of node ids stands above the numbers of the live view', async (t) => {
  const made = await DamagedCatalog.make(t);
  const root = projectionNode(made.web);
  const [number] = new LiveNodes(made.store).assign(root, [{ name: 'a.txt', kind: 'file' }]) as [number];
  made.change(() => made.checked.counters.put('next-node-id', number));
  await made.mends(['node-counter-wrong']);
});
