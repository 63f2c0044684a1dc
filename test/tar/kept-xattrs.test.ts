import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isKeptXattr } from '../../src/tar/kept-xattrs.ts';

test('attributes of the file are kept, those of the host are not', () => {
  for (const name of [
    'user.x',
    'trusted.x',
    'security.capability',
    'system.posix_acl_access',
    'system.posix_acl_default',
  ])
    assert.equal(isKeptXattr(name), true, name);
  for (const name of ['security.selinux', 'security.ima', 'trusted.overlay.opaque', 'system.nfs4_acl', 'user', ''])
    assert.equal(isKeptXattr(name), false, name);
});
