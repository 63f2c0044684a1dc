import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeId } from '../../../src/base/ids.ts';
import { numberAndStringKey, numberKey } from '../../../src/store/codecs.ts';
import { codes, DamagedCatalog } from './damaged-catalog.ts';

function nodeOf(made: DamagedCatalog, name: string): NodeId {
  return made.catalog.link(made.web, name)?.node as NodeId;
}

test('a node id that does not lead back to its link does so again', async (t) => {
  const made = await DamagedCatalog.make(t);
  const node = nodeOf(made, 'a.txt');
  made.change(() => made.checked.linkNodes.remove(node));
  await made.mends(['link-wrong']);
  assert.deepEqual(made.catalog.linkOfNode(node), { projection: made.web, name: 'a.txt' });
  made.change(() => made.raw('link-nodes').put(numberKey.encode(node), Buffer.from('[1,')));
  assert.deepEqual((await made.check(true)).remaining, []);
  assert.deepEqual(made.catalog.linkOfNode(node), { projection: made.web, name: 'a.txt' });
});

test('a link that cannot be read, or has the node id of another, gets one of its own', async (t) => {
  const made = await DamagedCatalog.make(t);
  made.change(() => made.raw('links').put(numberAndStringKey.encode([made.web, 'c']), Buffer.from('x')));
  assert.deepEqual((await made.check(true)).remaining, []);
  assert.ok(made.catalog.isUnsettled(made.web), 'the next start announces it');
  const taken = nodeOf(made, 'a.txt');
  made.change(() => made.checked.links.put([made.web, 'c'], { node: taken, visible: true }));
  assert.deepEqual((await made.check(true)).remaining, []);
  assert.equal(nodeOf(made, 'a.txt'), taken);
  assert.notEqual(nodeOf(made, 'c'), taken);
});

test('a link that is missing is made with the next start', async (t) => {
  const made = await DamagedCatalog.make(t);
  made.change(() => made.checked.removeLink(made.web, 'sub'));
  await made.mends(['link-wrong']);
  assert.deepEqual(made.linkNames(made.web), ['(sub)', 'a.txt', 'c']);
  assert.ok(made.catalog.isUnsettled(made.web));
});

test('a link that the content does not have, and one never announced, are completed with the next start', async (t) => {
  const made = await DamagedCatalog.make(t);
  const link = made.catalog.link(made.web, 'c');
  assert(link !== undefined);
  made.change(() => {
    made.checked.links.put([made.web, 'c'], { ...link, visible: false });
    made.checked.links.put([made.web, 'old'], { node: 900 as NodeId, visible: true });
    made.checked.linkNodes.put(900, [made.web, 'old']);
    made.checked.counters.put('next-node-id', 1000);
  });
  const { repaired } = await made.check(true);
  assert.deepEqual(codes(repaired), ['link-wrong', 'link-wrong']);
  assert.ok(made.catalog.isUnsettled(made.web));
  assert.deepEqual((await made.check()).remaining, []);
});

test('links and node ids of nothing are removed', async (t) => {
  const made = await DamagedCatalog.make(t);
  made.change(() => {
    made.checked.counters.put('next-node-id', 1000);
    made.checked.links.put([4711, 'ghost'], { node: 901 as NodeId, visible: true });
    made.checked.linkNodes.put(902, [made.web, 'ghost']);
  });
  await made.mends(['row-dangling', 'row-dangling']);
  assert.equal(made.catalog.linkOfNode(902 as NodeId), undefined);
});
