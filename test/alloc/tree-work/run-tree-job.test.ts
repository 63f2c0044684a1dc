import assert from 'node:assert/strict';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { runTreeJob } from '../../../src/alloc/tree-work/run-tree-job.ts';

const SIZE = 48 * 1024 * 1024;

function folder(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'dunnage-tree-job-'));
  context.after(() => rmSync(path, { recursive: true, force: true }));
  for (const name of ['from', 'to']) mkdirSync(join(path, name));
  return path;
}

test('a copy tells how far it is, and leaves the descriptor that it was given open', async (context) => {
  const path = folder(context);
  writeFileSync(join(path, 'from/file'), Buffer.alloc(SIZE, 1));
  const source = openSync(join(path, 'from'), 'r');
  const told: number[] = [];
  await runTreeJob({ kind: 'copy', source, target: join(path, 'to') }, { onProgress: (bytes) => told.push(bytes) });
  closeSync(source);
  assert.equal(told.at(-1), SIZE);
  assert.deepEqual(
    [...told].sort((a, b) => a - b),
    told,
  );
  assert.ok(told.length > 2);
  assert.ok(readFileSync(join(path, 'to/file')).equals(readFileSync(join(path, 'from/file'))));
});

test('a signal stops a copy, before it begins and between two pieces', async (context) => {
  const path = folder(context);
  writeFileSync(join(path, 'from/file'), Buffer.alloc(SIZE, 1));
  const source = openSync(join(path, 'from'), 'r');
  const job = { kind: 'copy', source, target: join(path, 'to') } as const;
  await assert.rejects(runTreeJob(job, { signal: AbortSignal.abort() }), { code: 'INTERRUPTED' });
  assert.equal(existsSync(join(path, 'to/file')), false);
  const controller = new AbortController();
  const running = runTreeJob(job, { signal: controller.signal });
  // The thread is on its way and has done nothing yet.
  controller.abort();
  await assert.rejects(running, { code: 'INTERRUPTED', message: 'stopped on request' });
  closeSync(source);
});

test('removals are made one after another, and what is missing is removed', async (context) => {
  const path = folder(context);
  mkdirSync(join(path, 'from/a'));
  await runTreeJob({
    kind: 'remove',
    trees: [
      { directory: join(path, 'none'), name: 'x' },
      { directory: join(path, 'from'), name: 'none' },
      { directory: path, name: 'from' },
    ],
  });
  assert.equal(existsSync(join(path, 'from')), false);
});

test('what fails is told with its code and its reason', async () => {
  const job = { kind: 'copy', source: 0x7fff_fff0, target: '/tmp' } as const;
  await assert.rejects(runTreeJob(job), { code: 'IO', message: /cannot copy: EBADF/ });
});
