import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FSCK_EXIT, formatReport } from '../../../src/cli/commands/fsck.ts';
import { exampleFsck } from '../../server/fake-operations.ts';

const terminal = { paint: (_colour: string, text: string) => text };

test('a finding is a line with what to do, and the last line sums up', () => {
  const text = formatReport(exampleFsck(false), terminal);
  assert.match(text, /^CODE +OBJECT +WHAT +WITH --repair\n/);
  assert.match(
    text,
    /content-lost +web: nginx\.conf +its SHA-256 is another one +cannot be mended: apply its source again\n/,
  );
  assert.match(text, /4 contents \(4 KiB\) compared with their digests, 1 sealed with a key that is not here/);
  assert.match(text, /1 finding\.\n$/);
});

test('after a repair it says what was mended and what is to do', () => {
  const report = exampleFsck(true);
  const mended = {
    ...report.remaining[0],
    code: 'blob-count-wrong',
    action: 'record 2',
  } as (typeof report.remaining)[0];
  const text = formatReport({ ...report, repaired: [mended] }, terminal);
  assert.match(text, /MENDED\n.*record 2\n/);
  assert.match(text, /TO DO\n.* apply its source again\n/);
  assert.match(text, /1 mended, 1 not\.\n$/);
  assert.match(
    formatReport({ ...report, outcome: 'repaired', repaired: [mended], remaining: [] }, terminal),
    /all mended/,
  );
});

test('a clean state is one line', () => {
  const text = formatReport({ ...exampleFsck(false), outcome: 'clean', remaining: [] }, terminal);
  assert.equal(text.split('\n').length, 2);
  assert.match(text, /Nothing is wrong\./);
});

test('each outcome has an exit code of its own', () => {
  assert.deepEqual(FSCK_EXIT, { clean: 0, found: 11, repaired: 12, unrepaired: 13 });
});
