import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAlloc, formatAllocs } from '../../../src/cli/output/alloc-tables.ts';
import { exampleAlloc } from '../../server/fake-operations.ts';

const NOW_MS = 1_700_000_000_000 + 3_600_000;

test('a list of allocs, with what there is to say of them below', () => {
  const { path: _, ...alloc } = exampleAlloc();
  const text = formatAllocs([{ ...alloc, tasks: 2 }], NOW_MS);
  assert.equal(
    text,
    'ID     STATE   TASKS   AGE\n' +
      '5f8c   ready       2    1h\n' +
      '\n5f8c: web/local/db waits: projections/secret.db does not exist yet\n',
  );
  assert.doesNotMatch(formatAllocs([{ ...alloc, notes: [], tasks: 2 }], NOW_MS), /5f8c:/);
});

test('one alloc: its tasks, and where each presented projection is', () => {
  const text = formatAlloc(exampleAlloc(), NOW_MS);
  assert.match(text, /^web +none +1000:1000 +1 MiB +\/run\/dunnage\/mnt\/allocs\/5f8c\/web$/m);
  assert.match(text, /^shipper +chroot +nobody +64 KiB/m);
  assert.match(text, /^configmap\.web +web\/local\/conf +presented$/m);
  assert.match(text, /^secret\.db +web\/local\/db +waits: projections\/secret\.db does not exist yet$/m);
});

test('what a daemon says of a broken alloc drives no terminal', () => {
  const text = formatAlloc({ ...exampleAlloc(), notes: ['broken: \u001b[2J'] }, NOW_MS);
  assert.ok(!text.includes('\u001b'));
});
