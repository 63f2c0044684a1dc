import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NodeId, ProjectionId } from '../../../src/base/ids.ts';
import { LIVE_NODE_ID, liveNodeId } from '../../../src/projection/live/live-ids.ts';
import type { LiveNode, LiveNodes } from '../../../src/projection/live/live-nodes.ts';
import { LiveReferences } from '../../../src/projection/live/live-references.ts';
import { LOOKUP_SLOT_BYTES, LookupTable } from '../../../src/projection/lookup-table.ts';

const PROJECTION = 10 as ProjectionId;
const nodes = {
  node: (id: number): LiveNode | undefined =>
    id >= 100 ? { id, projection: PROJECTION, path: `file-${id}`, kind: 'file', isDead: false } : undefined,
} as unknown as LiveNodes;

const known = (references: LiveReferences): number[] => [...references.knownOf(PROJECTION)].sort((a, b) => a - b);

describe('LiveReferences', () => {
  it('knows what the kernel knows, by projection', () => {
    const references = new LiveReferences(new LookupTable(new ArrayBuffer(16 * LOOKUP_SLOT_BYTES)), nodes);
    for (const id of [PROJECTION, 100, 101, 101]) references.add(liveNodeId(id));
    assert.deepEqual(known(references), [10, 100, 101]);
    assert.ok(references.isKnown(101));
    assert.equal(references.subtract(liveNodeId(101), 1), false);
    assert.equal(references.subtract(liveNodeId(101), 1), true);
    assert.equal(references.subtract(liveNodeId(101), 1), false, 'the kernel forgets once');
    assert.deepEqual(known(references), [10, 100]);
    assert.equal(references.knownOf(11 as ProjectionId).size, 0);
  });

  it('knows it after a takeover, and takes no generation for a live node', () => {
    const memory = new ArrayBuffer(16 * LOOKUP_SLOT_BYTES);
    const table = new LookupTable(memory);
    table.add(100 as NodeId);
    const first = new LiveReferences(table, nodes);
    for (const node of [liveNodeId(PROJECTION), liveNodeId(105), LIVE_NODE_ID]) first.add(node);
    const second = new LiveReferences(new LookupTable(memory), nodes);
    assert.deepEqual(known(second), [10, 105]);
    assert.ok(second.isKnown(0));
    second.subtract(liveNodeId(105), 1);
    second.subtract(liveNodeId(PROJECTION), 1);
    assert.deepEqual(known(second), []);
  });
});
