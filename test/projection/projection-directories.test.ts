import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import { AuditedDirectories, PlainDirectories } from '../../src/projection/projection-directories.ts';
import type { ThroughMount } from '../../src/vfs/ports.ts';

const { EEXIST, EINVAL, ENOENT, EBUSY } = constants.errno;

/** What is done, in order; each step succeeds unless an errno is given for it. */
function makeScene(errnos: Readonly<Record<string, number>> = {}): { done: string[]; audited: AuditedDirectories } {
  const done: string[] = [];
  const step = (what: string): number => {
    done.push(what);
    return errnos[what] ?? 0;
  };
  const through = (where: string): ThroughMount => ({
    run: async (directory, operations) =>
      operations.map(({ kind, name }) => step(`${where}${directory}: ${kind} ${name}`)),
  });
  const audited = new AuditedDirectories(new PlainDirectories(through('plain')), {
    throughMount: through('audited'),
    attach: async (name) => step(`attach ${name}`),
    detach: async (name) => step(`detach ${name}`),
  });
  return { done, audited };
}

test('an audited projection has a directory in both places before one is mounted on the other', async () => {
  const { done, audited } = makeScene();
  await audited.make('web');
  assert.deepEqual(done, ['audited: mkdir web', 'plain: mkdir web', 'attach web']);
});

test('it goes in an order that every step of it can be repeated', async () => {
  const whole = makeScene();
  await whole.audited.remove('web');
  assert.deepEqual(whole.done, ['audited: rmdir web', 'detach web', 'plain: rmdir web']);
  for (const errno of [EINVAL, ENOENT]) {
    const repeated = makeScene({ 'audited: rmdir web': ENOENT, 'detach web': errno, 'plain: rmdir web': ENOENT });
    await repeated.audited.remove('web');
    assert.equal(repeated.done.length, 3);
  }
});

test('what cannot be done is an error that says what', async () => {
  await assert.rejects(makeScene({ 'plain: mkdir web': EEXIST }).audited.make('web'), /cannot mkdir web: EEXIST/);
  await assert.rejects(makeScene({ 'attach web': ENOENT }).audited.make('web'), /cannot mount .* web: ENOENT/);
  await assert.rejects(makeScene({ 'detach web': EBUSY }).audited.remove('web'), /cannot unmount .* web: EBUSY/);
});
