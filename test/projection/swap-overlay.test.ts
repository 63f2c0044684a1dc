import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GenerationId, NodeId, ProjectionId } from '../../src/base/ids.ts';
import { SwapOverlay } from '../../src/projection/swap-overlay.ts';

const ONE = 10 as ProjectionId;
const TWO = 20 as ProjectionId;

function filled(overlay: SwapOverlay, projection: ProjectionId): void {
  const directory = overlay.of(projection);
  directory.staged = 30 as GenerationId;
  directory.stagingLink = 30 as GenerationId;
  directory.announced.add(40 as NodeId);
  directory.removed.add(41 as NodeId);
  overlay.made.add(projection);
  overlay.dataRemoved.add(projection);
}

test('SwapOverlay: looking makes nothing, writing makes one overlay per projection', () => {
  const overlay = new SwapOverlay();
  assert.equal(overlay.get(ONE), undefined);
  overlay.of(ONE).staged = 30 as GenerationId;
  assert.equal(overlay.of(ONE).staged, 30);
  assert.equal(overlay.get(ONE)?.staged, 30);
  assert.equal(overlay.get(TWO), undefined);
});

test('SwapOverlay.published: what was told ahead of the store is forgotten, for that projection only', () => {
  const overlay = new SwapOverlay();
  filled(overlay, ONE);
  filled(overlay, TWO);
  overlay.published(ONE);
  assert.equal(overlay.get(ONE), undefined);
  assert.deepEqual([...overlay.made], [TWO]);
  assert.equal(overlay.get(TWO)?.stagingLink, 30);
});

test('SwapOverlay.deleted: the projection is gone and nothing else is remembered of it', () => {
  const overlay = new SwapOverlay();
  filled(overlay, ONE);
  filled(overlay, TWO);
  overlay.deleted(ONE);
  assert.equal(overlay.get(ONE), undefined);
  assert.deepEqual([[...overlay.gone], [...overlay.made], [...overlay.dataRemoved]], [[ONE], [TWO], [TWO]]);
});
