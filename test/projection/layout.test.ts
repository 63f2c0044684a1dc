/** Names that users and their tools rely on: they are those of the reference's projected directories. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DATA_LINK, linkTarget, STAGING_LINK } from '../../src/projection/layout.ts';
import { validatePath } from '../../src/projection/path-rules.ts';

test('the reserved names are those of the reference', () => {
  assert.equal(DATA_LINK, '..data');
  assert.equal(STAGING_LINK, '..data_tmp');
});

test('no payload can have a reserved name', () => {
  for (const name of [DATA_LINK, STAGING_LINK]) assert.throws(() => validatePath(name), { code: 'INVALID_PATH' });
});

test('a visible link goes through the published one, so that one rename moves them all', () => {
  assert.equal(linkTarget('config.yaml'), '..data/config.yaml');
});
