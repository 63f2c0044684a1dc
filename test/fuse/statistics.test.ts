import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { OPCODE } from '../../src/fuse/abi.ts';
import { RequestCounters } from '../../src/fuse/statistics.ts';

describe('RequestCounters', () => {
  it('counts by name, and unknown operations together', () => {
    const counters = new RequestCounters();
    for (const opcode of [OPCODE.LOOKUP, OPCODE.LOOKUP, OPCODE.READ, 7, 4096, 0xffff_ffff]) counters.count(opcode);
    assert.deepEqual(counters.byName(), { LOOKUP: 2, READ: 1, 'opcode 7': 1, unknown: 2 });
    assert.equal(counters.total, 6);
  });
});
