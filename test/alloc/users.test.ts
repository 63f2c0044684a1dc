import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { nobody, resolveUser } from '../../src/alloc/users.ts';

test('numbers stand for themselves', async () => {
  assert.deepEqual(await resolveUser('1000'), { uid: 1000, gid: 1000 });
  assert.deepEqual(await resolveUser('0:4294967294'), { uid: 0, gid: 4_294_967_294 });
});

test('names are those of the host', async () => {
  const id = (user: string, option: string): number => Number(execFileSync('id', [option, user], { encoding: 'utf8' }));
  assert.deepEqual(await resolveUser('daemon'), { uid: id('daemon', '-u'), gid: id('daemon', '-g') });
  assert.deepEqual(await resolveUser('daemon:7'), { uid: id('daemon', '-u'), gid: 7 });
  assert.deepEqual(await resolveUser('5:root'), { uid: 5, gid: 0 });
  assert.deepEqual(await nobody(), { uid: id('nobody', '-u'), gid: id('nobody', '-g') });
});

test('what is no user is said', async () => {
  for (const text of ['', ':', '1:', ':1', '1:2:3', '4294967295']) {
    await assert.rejects(resolveUser(text), { code: 'INVALID_ARGUMENT' }, text);
  }
  await assert.rejects(resolveUser('no-such-user'), /there is no user "no-such-user"/);
  await assert.rejects(resolveUser('0:no-such-group'), { code: 'NOT_FOUND' });
  await assert.rejects(resolveUser('--help'), { code: 'NOT_FOUND' });
});
