import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatStatus } from '../../../src/cli/commands/status.ts';
import { exampleStatus } from '../../server/fake-operations.ts';
import { makeDirectory, serveFake } from '../../server/serve-fake.ts';
import { dunnage } from '../run-dunnage.ts';

const plain = { paint: (_colour: string, text: string): string => text };

test('the status is told in aligned lines and a table of connections', () => {
  const status = exampleStatus();
  const text = formatStatus(status, status.startedAtMs + 61_000, plain);
  assert.match(
    text,
    /^Daemon: +running for 1m1s, pid 4711, version 0\.1\.0\nHolder: +pid 4712\nTransport: +kernel\nTree: +\/run\/dunnage\/mnt\n/,
  );
  assert.match(text, /State: +\/var\/lib\/dunnage \(64 KiB\)\n/);
  assert.match(text, /\nKey: +\/run\/dunnage\/secret\.key \(gone after a reboot, 0123456789abcdef\)\n/);
  assert.match(text, /\nCONNECTION .*\nroot .*\nprojections +\/run\/dunnage\/mnt\/projections +7\.45 +12 +0 +0\n$/);
});

test('a takeover, a missing holder and warnings are told', () => {
  const status = { ...exampleStatus(), takenOver: true, holderPid: undefined, warnings: ['no RESEND: use Linux 6.9'] };
  const text = formatStatus(status, status.startedAtMs, plain);
  assert.match(text, /, took over the tree\nHolder: +none: the tree ends with the daemon\n/);
  assert.match(text, /\n\nwarning: no RESEND: use Linux 6\.9\n$/);
});

test('status --json is what the daemon says', async (context) => {
  const { socketPath } = await serveFake(context);
  const ran = await dunnage(['status', '--json', '--socket', socketPath]);
  assert.deepEqual(JSON.parse(ran.stdout), exampleStatus());
  assert.equal(ran.stderr, '');
});

test('nothing is coloured in a pipe', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  operations.daemon = { ...exampleStatus(), warnings: ['x'] };
  assert.ok(!(await dunnage(['status', '--socket', socketPath])).stdout.includes('\u001b'));
});

test('no daemon is exit code 3 with the command that starts one', async (context) => {
  const socketPath = `${await makeDirectory(context)}/dunnage.sock`;
  const ran = await dunnage(['status', '--socket', socketPath]);
  assert.deepEqual([ran.exitCode, ran.stdout], [3, '']);
  assert.match(ran.stderr, /^dunnage: no daemon answers at .*\n {2}start it with: dunnage up --detach/);
});

test('audited opens are told once there are any, with those that were lost', () => {
  const status = exampleStatus();
  assert.ok(!formatStatus(status, status.startedAtMs, plain).includes('Audit'));
  const busy = { ...status, audit: { path: '/state/audit.log', opens: 5, lost: 0 } };
  assert.match(formatStatus(busy, status.startedAtMs, plain), /\nAudit: +5 opens in \/state\/audit\.log\n/);
  const lossy = { ...status, audit: { path: '/state/audit.log', opens: 5, lost: 2 } };
  assert.match(formatStatus(lossy, status.startedAtMs, plain), /audit\.log, 2 lost\n/);
});
