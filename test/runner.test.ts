/** The runner checks others, so it is checked itself: each thing it must refuse is made and must be refused. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { repositoryRoot } from './tools/repository.ts';
import { endProcess, newMounts, parseMounts, processesOf, RUN_MARKER, removeMount } from './tools/runner/leftovers.ts';
import { findTests, intoSteps } from './tools/runner/selection.ts';
import { Tally, type TestOutcome } from './tools/runner/tally.ts';

const outcome = (fields: Partial<TestOutcome>): TestOutcome => ({
  name: 'x',
  file: '/r/a.test.js',
  details: {},
  ...fields,
});

test('Tally counts tests, not suites, and keeps the reasons of skipped ones', () => {
  const tally = new Tally('/r');
  tally.pass(outcome({}));
  tally.pass(outcome({ details: { type: 'suite' } }));
  tally.pass(outcome({ skip: 'no fuse' }));
  tally.pass(outcome({ skip: true }));
  tally.fail(outcome({}));
  tally.fail(outcome({ details: { type: 'suite' } }));
  assert.equal(tally.summary(), '1 passed, 1 failed, 2 skipped');
  assert.deepEqual(tally.skipped[0], { file: 'a.test.js', name: 'x', reason: 'no fuse' });
  assert.deepEqual(tally.problems, []);
});

test('Tally: a file that ran no test and a test marked todo are problems', () => {
  const tally = new Tally('/r');
  tally.pass(outcome({ name: '/r/a.test.js' }));
  tally.pass(outcome({ todo: true }));
  assert.equal(tally.problems.length, 2);
});

test('Tally.forbiddenSkips: a reason must match a row of the list as a whole', () => {
  const tally = new Tally('/r');
  tally.pass(outcome({ skip: 'kernel 5.4 lacks openat2' }));
  tally.pass(outcome({ skip: 'kernel 5.4 lacks openat2, or so' }));
  const forbidden = tally.forbiddenSkips([{ reason: 'kernel \\S+ lacks openat2', why: 'sample' }]);
  assert.deepEqual(
    forbidden.map((skipped) => skipped.reason),
    ['kernel 5.4 lacks openat2, or so'],
  );
});

test('findTests finds by prefix, with or without test/', () => {
  const folder = join(repositoryRoot(), 'test');
  assert.deepEqual(findTests(folder, 'test/runner'), ['runner.test.ts']);
  assert.deepEqual(findTests(folder, 'no-such'), []);
});

test('intoSteps keeps what mounts apart, and runs what has a kernel of its own beside it', () => {
  const steps = intoSteps(['kernel/a.test.ts', 'kernel/uml.test.ts', 'base/b.test.ts'], 2);
  assert.deepEqual(
    steps.map((step) => step.map(({ concurrency, sources }) => [concurrency, sources])),
    [
      [[2, ['base/b.test.ts']]],
      [
        [1, ['kernel/a.test.ts']],
        [1, ['kernel/uml.test.ts']],
      ],
    ],
  );
  assert.deepEqual(
    intoSteps(['kernel/uml.test.ts'], 2).map((step) => step.map(({ sources }) => sources)),
    [[['kernel/uml.test.ts']]],
  );
});

test('removeMount says why a mount cannot be removed, and throws nothing: the next one still has its turn', () => {
  const failure = removeMount({ id: '1', mountPoint: '/nowhere/at all', type: 'tmpfs', minor: '0' });
  assert.match(failure ?? '', /\/nowhere\/at all/);
});

test('newMounts tells the mounts of tests from those of others', () => {
  const before = parseMounts('21 1 8:1 / / rw - ext4 /dev/root rw');
  const after = parseMounts(
    [
      '21 1 8:1 / / rw - ext4 /dev/root rw',
      '30 21 0:40 / /run/dunnage/mnt rw shared:3 - fuse.dunnage dunnage rw',
      '31 21 8:1 /x /tmp/dt-1/a\\040b rw - ext4 /dev/root rw',
      '32 21 0:41 / /mnt/other rw - tmpfs none rw',
    ].join('\n'),
  );
  const { ours, others } = newMounts(before, after, '/tmp/dt-1');
  const shown = (mounts: typeof ours): string[] => mounts.map(({ mountPoint, minor }) => `${mountPoint} ${minor}`);
  assert.deepEqual(shown(ours), ['/tmp/dt-1/a b 1']);
  assert.deepEqual(shown(others), ['/run/dunnage/mnt 40']);
});

test('processesOf finds a process by its marker, also a detached grandchild, and endProcess ends it', async () => {
  const marker = `sample-${process.pid}`;
  const folder = mkdtempSync(join(tmpdir(), 'runner-'));
  try {
    const child = spawn('sh', ['-c', 'setsid sleep 1000 & echo $!'], {
      env: { ...process.env, [RUN_MARKER]: marker },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    // The grandchild holds the pipe: it ends when the process does.
    const lines = createInterface({ input: child.stdout });
    const [printed] = (await once(lines, 'line')) as [string];
    assert.deepEqual(
      processesOf(marker, folder).map(({ pid }) => pid),
      [Number(printed)],
    );
    endProcess(Number(printed));
    await once(lines, 'close');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
