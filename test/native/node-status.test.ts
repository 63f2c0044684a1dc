import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NODE, nodeIdentity } from '../../src/native/node-status.ts';

test('every field has a place of its own below `fields`', () => {
  const places = Object.entries(NODE).filter(([name]) => name !== 'fields');
  assert.equal(places.length, NODE.fields);
  assert.deepEqual(
    places.map(([, place]) => place),
    Array.from({ length: NODE.fields }, (_, index) => index),
  );
});

test('inodes beyond 2^53 are told apart', () => {
  const status = new Float64Array(2 * NODE.fields);
  status[NODE.fields + NODE.inodeHigh] = 0xffff_ffff;
  status[NODE.fields + NODE.inodeLow] = 0xffff_ffff;
  status[NODE.fields + NODE.deviceMinor] = 3;
  assert.equal(nodeIdentity(status, NODE.fields), `0:3:${2n ** 64n - 1n}`);
  assert.equal(nodeIdentity(status), '0:0:0');
});
