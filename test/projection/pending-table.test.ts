import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { GenerationId, ProjectionId } from '../../src/base/ids.ts';
import { PENDING_SLOT_BYTES, type PendingName, PendingTable } from '../../src/projection/pending-table.ts';

const SLOTS = 8;
const newMemory = (): ArrayBuffer => new ArrayBuffer(64 + SLOTS * PENDING_SLOT_BYTES);
const name = (id: number, projection = 1): PendingName => ({
  id: id as GenerationId,
  projection: projection as ProjectionId,
  nodes: 5,
  directory: `..2026_11_18_00_00_00.${id}`,
});
const sorted = (names: Iterable<PendingName>): PendingName[] => [...names].sort((a, b) => a.id - b.id);

test('PendingTable: what one daemon put there another finds, and leaves the memory before it alone', () => {
  const memory = newMemory();
  const table = new PendingTable(memory, 64);
  table.add(name(2 ** 52 + 1, 7));
  table.add(name(12));
  table.add(name(12));
  assert.deepEqual(sorted(new PendingTable(memory, 64).entries()), [name(12), name(2 ** 52 + 1, 7)]);
  assert.deepEqual(table.of(7 as ProjectionId), [name(2 ** 52 + 1, 7)]);
  assert.ok(new Uint8Array(memory, 0, 64).every((byte) => byte === 0));
});

test('PendingTable: a reader that was made before sees what is added and removed later', () => {
  const memory = newMemory();
  const reader = new PendingTable(memory);
  const writer = new PendingTable(memory);
  writer.add(name(3));
  assert.deepEqual([...reader.entries()], [name(3)]);
  writer.remove(3 as GenerationId);
  assert.deepEqual([...reader.entries()], []);
});

test('PendingTable: a full table, or a name it has no room for, is NO_SPACE and changes nothing', () => {
  const table = new PendingTable(newMemory());
  for (let id = 2; id <= SLOTS; id += 1) table.add(name(id));
  assert.throws(() => table.add(name(99)), { code: 'NO_SPACE' });
  table.remove(4 as GenerationId);
  assert.throws(() => table.add({ ...name(99), directory: 'x'.repeat(97) }), { code: 'NO_SPACE' });
  table.add(name(99));
  assert.equal([...table.entries()].length, SLOTS - 1);
});

test('PendingTable: holds what a map holds, whichever way it came there, also for the next daemon', () => {
  const step = fc.record({ adds: fc.boolean(), id: fc.integer({ min: 2, max: 6 }), restarts: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const memory = newMemory();
      let table = new PendingTable(memory);
      const model = new Map<number, PendingName>();
      for (const { adds, id, restarts } of steps) {
        if (restarts) table = new PendingTable(memory);
        if (adds) {
          table.add(name(id));
          model.set(id, name(id));
        } else {
          table.remove(id as GenerationId);
          model.delete(id);
        }
        assert.deepEqual(sorted(table.entries()), sorted(model.values()));
      }
    }),
  );
});
