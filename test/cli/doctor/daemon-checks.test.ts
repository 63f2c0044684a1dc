import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Outcome, Probes } from '../../../src/cli/doctor/check.ts';
import { daemonChecks } from '../../../src/cli/doctor/daemon-checks.ts';
import { exampleStatus } from '../../server/fake-operations.ts';
import { goodHost, mountRow, PLACES } from './good-host.ts';

async function check(name: string, changed: Partial<Probes>): Promise<Outcome> {
  const found = daemonChecks.find((candidate) => candidate.name === name);
  assert.ok(found, `there is a check ${name}`);
  return found.run({ ...goodHost(), ...changed }, PLACES);
}

const noDaemon: Pick<Probes, 'daemon'> = { daemon: async () => ({ kind: 'none' }) };
const noHolder: Pick<Probes, 'holder'> = { holder: async () => 'none' };

test('a running daemon with its holder passes every check', async () => {
  for (const { name } of daemonChecks) assert.equal((await check(name, {})).verdict, 'ok', name);
});

test('no daemon is a warning with the command that starts one', async () => {
  const outcome = await check('daemon', noDaemon);
  assert.deepEqual([outcome.verdict, outcome.remedy], ['warn', ['dunnage up --detach']]);
});

test('a daemon that cannot be asked is a failure with its own remedy', async () => {
  const outcome = await check('daemon', {
    daemon: async () => ({ kind: 'problem', message: 'no permission', remedy: 'use sudo' }),
  });
  assert.deepEqual([outcome.verdict, outcome.detail, outcome.remedy], ['fail', 'no permission', ['use sudo']]);
});

test('warnings of the daemon and unanswered requests are told', async () => {
  const [connection] = exampleStatus().connections;
  assert.ok(connection);
  const status = { ...exampleStatus(), warnings: ['no RESEND'], connections: [{ ...connection, unanswered: 2 }] };
  const outcome = await check('daemon', { daemon: async () => ({ kind: 'live', status }) });
  assert.equal(outcome.verdict, 'warn');
  assert.match(outcome.detail, /no RESEND; 2 requests/);
});

test('a holder without a daemon, and a daemon without a holder, are warnings', async () => {
  const waiting = await check('holder', noDaemon);
  assert.equal(waiting.verdict, 'warn');
  assert.match(waiting.remedy?.join('\n') ?? '', /dunnage up --detach[\s\S]*dunnage down/);
  assert.equal((await check('holder', noHolder)).verdict, 'warn');
  assert.equal((await check('holder', { ...noDaemon, ...noHolder })).verdict, 'ok');
  assert.equal((await check('holder', { holder: async () => ({ problem: 'EACCES' }) })).verdict, 'fail');
});

test('mounts that nobody serves are listed with what unmounts them, innermost first', async () => {
  const mounts = async () => [
    mountRow('/a/mnt', '0:60'),
    mountRow("/a/mnt/it's", '0:61'),
    mountRow('/b', '8:1', 'ext4'),
  ];
  const outcome = await check('leftover mounts', { ...noDaemon, ...noHolder, mounts });
  assert.equal(outcome.verdict, 'warn');
  assert.deepEqual(outcome.remedy?.slice(0, 2), [`umount -l '/a/mnt/it'\\''s'`, "umount -l '/a/mnt'"]);
  assert.doesNotMatch(outcome.detail, /\/b/);
  const asUser = await check('leftover mounts', { ...noDaemon, ...noHolder, mounts, userId: 1000 });
  assert.match(asUser.remedy?.[0] ?? '', /^fusermount3 -uz /);
});

test('what the daemon serves is no leftover, wherever it is bound to', async () => {
  const mounts = async () => [mountRow('/run/dunnage/mnt/projections', '0:50'), mountRow('/container/etc', '0:50')];
  assert.equal((await check('leftover mounts', { mounts })).verdict, 'ok');
  const other = await check('leftover mounts', { mounts: async () => [...(await mounts()), mountRow('/old', '0:49')] });
  assert.match(other.detail, /: \/old$/);
});

test('a tree that the holder keeps is no leftover', async () => {
  assert.equal((await check('leftover mounts', noDaemon)).verdict, 'ok');
});
