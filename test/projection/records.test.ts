import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PROJECTION_TRANSITIONS, type ProjectionState } from '../../src/projection/records.ts';

const STATES = Object.keys(PROJECTION_TRANSITIONS) as ProjectionState[];

test('every state a transition leads to is a state of the table', () => {
  assert.deepEqual(STATES.sort(), ['creating', 'deleting', 'live']);
  for (const state of STATES) for (const next of PROJECTION_TRANSITIONS[state]) assert.ok(STATES.includes(next), next);
});

test('a projection can be deleted from every state, and nothing follows deleting', () => {
  for (const state of STATES) {
    assert.equal(PROJECTION_TRANSITIONS[state].includes('deleting'), state !== 'deleting', state);
  }
  assert.deepEqual(PROJECTION_TRANSITIONS.deleting, []);
});

test('no way leads back: what was published is never being created again', () => {
  for (const state of STATES) assert.ok(!PROJECTION_TRANSITIONS[state].includes('creating'), state);
});
