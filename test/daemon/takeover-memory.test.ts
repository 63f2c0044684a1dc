import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GenerationId, ProjectionId } from '../../src/base/ids.ts';
import { lookupsIn, pendingIn, TAKEOVER_MEMORY_BYTES } from '../../src/daemon/takeover-memory.ts';

test('the tables of the takeover memory do not touch each other', () => {
  const memory = new ArrayBuffer(TAKEOVER_MEMORY_BYTES);
  const lookups = lookupsIn(memory);
  const name = { projection: 2 as ProjectionId, nodes: 3, directory: '..x' };
  for (let id = 1; id <= 10_000; id += 1) {
    lookups.add(id as GenerationId, id);
  }
  const pending = pendingIn(memory);
  for (let id = 1; id <= 10_000; id += 1) pending.add({ ...name, id: id as GenerationId });
  const [again, names] = [lookupsIn(memory), [...pendingIn(memory).entries()]];
  assert.equal(names.length, 10_000);
  for (const id of [1, 5_000, 10_000]) assert.equal(again.count(id as GenerationId), id);
});
