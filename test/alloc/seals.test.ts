import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Seals, unsealIfThere } from '../../src/alloc/seals.ts';
import { DunnageError } from '../../src/errors/dunnage-error.ts';

test('all that was sealed or noted is unsealed, once; what is gone is no error', async () => {
  const calls: string[] = [];
  const seals = new Seals({
    seal: async (path) => void calls.push(`seal ${path}`),
    unseal: async (path) => {
      calls.push(`unseal ${path}`);
      if (path === 'gone') throw new DunnageError('NOT_FOUND', 'gone');
    },
  });
  await seals.seal('a/secrets');
  for (const path of ['gone', '', '../outside', '/absolute', 'a/secrets']) seals.note(path);
  await seals.breakAll();
  await seals.breakAll();
  assert.deepEqual(calls, ['seal a/secrets', 'unseal a/secrets', 'unseal gone']);
});

test('what cannot be unsealed is told, and tried again', async () => {
  let isBroken = true;
  const seals = new Seals({
    seal: async () => undefined,
    unseal: async () => {
      if (isBroken) throw new DunnageError('IO', 'broken');
    },
  });
  await seals.seal('a');
  await assert.rejects(seals.breakAll(), { code: 'IO' });
  isBroken = false;
  await seals.breakAll();
});

test('a place that a task has moved away, or put a link at, is not sealed', async () => {
  const cause = Object.assign(new Error('too many symbolic links'), { code: 'ELOOP' });
  for (const error of [
    new DunnageError('IO', 'cannot unseal', { cause }),
    new DunnageError('NOT_FOUND', 'gone'),
    new DunnageError('NOT_A_DIRECTORY', 'a file'),
  ]) {
    await unsealIfThere({ unseal: () => Promise.reject(error) }, 'a/web/local/db');
  }
  const broken = new DunnageError('IO', 'broken');
  await assert.rejects(unsealIfThere({ unseal: () => Promise.reject(broken) }, 'a'), { code: 'IO' });
});
