import assert from 'node:assert/strict';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { test } from 'node:test';
import { loadNative } from '../../src/native/load.ts';
import { NODE, nodeIdentity, statsIdentity } from '../../src/native/node-status.ts';

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

test('what node:fs says of a node names it as the addon does, whatever the numbers of its device', () => {
  const descriptor = openSync('/proc/self', 'r');
  try {
    const stats = fstatSync(descriptor, { bigint: true });
    assert.equal(statsIdentity(stats), nodeIdentity(loadNative().statNode(descriptor, '')));
  } finally {
    closeSync(descriptor);
  }
  // makedev(0xabcde, 0x12345678)
  const dev = (0xab000n << 32n) | (0x12345600n << 12n) | (0xcden << 8n) | 0x78n;
  assert.equal(statsIdentity({ dev, ino: 2n ** 63n }), `${0xabcde}:${0x12345678}:${2n ** 63n}`);
});
