import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BLOB_FINDINGS, blobIssue, toFinding } from '../../../src/store/check/finding.ts';

test('an issue without a repair says that it cannot be mended', () => {
  const fields = { object: 'x', what: 'wrong', action: 'apply it again' };
  assert.equal(blobIssue('content-lost', { ...fields, repair: undefined }).repairable, false);
  assert.equal(blobIssue('content-changed', { ...fields, repair: () => undefined }).repairable, true);
});

test('a finding is data: no function crosses the control API', () => {
  const issue = blobIssue('content-changed', { object: 'x', what: 'y', action: 'z', repair: () => undefined });
  assert.deepEqual(JSON.parse(JSON.stringify(toFinding(issue))), toFinding(issue));
});

test('codes are words with dashes', () => {
  for (const code of Object.keys(BLOB_FINDINGS)) assert.match(code, /^[a-z]+(-[a-z]+)+$/);
});
