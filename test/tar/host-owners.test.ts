import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostOwners } from '../../src/tar/host-owners.ts';

test('who is in the files of the host has a number, and nobody else', () => {
  const owners = hostOwners();
  assert.equal(owners.user('root'), 0);
  assert.equal(owners.group('root'), 0);
  assert.equal(owners.user('no-such-user-here'), undefined);
  assert.equal(owners.group(''), undefined);
});
