/** The runner checks others, so it is checked itself: each thing it must refuse is made and must be refused. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { repositoryRoot } from './tools/repository.ts';
import { endProcess, newMounts, parseMounts, processesOf, RUN_MARKER } from './tools/runner/leftovers.ts';
import { findTests, intoPhases } from './tools/runner/selection.ts';
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

test('findTests finds by prefix, with or without test/; phases keep what mounts apart', () => {
  const folder = join(repositoryRoot(), 'test');
  assert.deepEqual(findTests(folder, 'test/runner'), ['runner.test.ts']);
  assert.deepEqual(findTests(folder, 'no-such'), []);
  const phases = intoPhases(['kernel/a.test.ts', 'base/b.test.ts'], 2);
  assert.deepEqual(
    phases.map((phase) => [phase.concurrency, phase.sources]),
    [
      [2, ['base/b.test.ts']],
      [1, ['kernel/a.test.ts']],
    ],
  );
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
  assert.deepEqual(
    newMounts(before, after, '/tmp/dt-1').map((mount) => [mount.mountPoint, mount.minor]),
    [
      ['/run/dunnage/mnt', '40'],
      ['/tmp/dt-1/a b', '1'],
    ],
  );
});

test('processesOf finds a process by its marker, also a detached grandchild, and endProcess ends it', async () => {
  const marker = `sample-${process.pid}`;
  const folder = mkdtempSync(join(tmpdir(), 'runner-'));
  try {
    const child = spawn('sh', ['-c', 'setsid sleep 1000 >/dev/null 2>&1 & echo $!'], {
      env: { ...process.env, [RUN_MARKER]: marker },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const printed = (await child.stdout.toArray()).join('');
    const left = processesOf(marker, folder);
    assert.equal(left.length, 1, `${printed} should be the one`);
    for (const { pid } of left) endProcess(pid);
    execFileSync('tail', ['--pid', String(left[0]?.pid), '-f', '/dev/null'], { timeout: 10_000 });
    assert.deepEqual(processesOf(marker, folder), []);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
