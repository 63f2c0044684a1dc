import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StagedGeneration } from '../../src/projection/staged-generation.ts';
import { received } from '../../src/projection/staged-generation.ts';
import { CatalogScene } from './helpers/catalog-scene.ts';

test('received: what came through a MessagePort is what was sent, digests as the store takes them', async (t) => {
  const scene = new CatalogScene(t);
  const staged = scene.staged.get(await scene.stage(scene.create('web'), { a: '1', 'b/c': '2' })) as StagedGeneration;
  const arrived = received(structuredClone(staged));
  assert.deepEqual(
    arrived.blobs.map(({ digest }) => digest.toString('hex')),
    staged.blobs.map(({ digest }) => digest.toString('hex')),
  );
  assert.deepEqual(
    { ...arrived, blobs: [], content: [...arrived.content] },
    { ...staged, blobs: [], content: [...staged.content] },
  );
});
