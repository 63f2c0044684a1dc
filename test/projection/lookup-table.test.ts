import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { GenerationId, NodeId } from '../../src/base/ids.ts';
import { LOOKUP_SLOT_BYTES, LookupTable } from '../../src/projection/lookup-table.ts';

const id = (value: number): GenerationId => value as GenerationId;

describe('LookupTable', () => {
  it('counts references per generation', () => {
    const table = new LookupTable(new ArrayBuffer(8 * LOOKUP_SLOT_BYTES));
    table.add(id(5));
    table.add(id(5), 2);
    table.add(id(9));
    assert.equal(table.count(id(5)), 3);
    assert.equal(table.subtract(id(5), 2), 1);
    assert.equal(table.subtract(id(5), 1), 0);
    assert.equal(table.count(id(5)), 0);
    assert.equal(table.count(id(9)), 1);
  });

  it('is read back from the same memory by the next daemon', () => {
    const memory = new ArrayBuffer(8 * LOOKUP_SLOT_BYTES);
    const first = new LookupTable(memory);
    for (const value of [10, 20, 30]) first.add(id(value), value);
    first.subtract(id(20), 20);
    const second = new LookupTable(memory);
    assert.deepEqual(
      [10, 20, 30].map((value) => second.count(id(value))),
      [10, 0, 30],
    );
    second.add(id(40));
    assert.deepEqual(
      [10, 30, 40].map((value) => second.count(id(value))),
      [10, 30, 1],
    );
  });

  it('uses freed slots again and refuses when it is full', () => {
    const table = new LookupTable(new ArrayBuffer(3 * LOOKUP_SLOT_BYTES));
    table.add(id(1));
    table.add(id(2));
    assert.throws(() => table.add(id(3)), { code: 'NO_SPACE' });
    table.subtract(id(1), 1);
    table.add(id(3));
    assert.equal(table.count(id(3)), 1);
  });

  it('never counts below zero', () => {
    const table = new LookupTable(new ArrayBuffer(3 * LOOKUP_SLOT_BYTES));
    assert.equal(table.subtract(id(7), 4), 0);
    table.add(id(7));
    assert.equal(table.subtract(id(7), 4), 0);
    assert.equal(table.count(id(7)), 0);
  });

  it('tells what it counts, generations and live nodes', () => {
    const table = new LookupTable(new ArrayBuffer(8 * LOOKUP_SLOT_BYTES));
    table.add(id(5));
    table.add((2 ** 48 + 1) as NodeId, 2);
    table.add(id(9));
    table.subtract(id(5), 1);
    assert.deepEqual([...table.ids()].sort(), [2 ** 48 + 1, 9]);
  });
});
