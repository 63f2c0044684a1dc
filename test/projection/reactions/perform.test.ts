import assert from 'node:assert/strict';
import { test } from 'node:test';
import { performOnHost } from '../../../src/projection/reactions/perform.ts';
import type { Reaction } from '../../../src/projection/reactions/reaction.ts';

const EVENT = { projection: 'web', generation: 1, path: '/mnt/projections/web' };
const perform = (reaction: Reaction): ReturnType<typeof performOnHost> =>
  performOnHost(reaction, EVENT, new AbortController().signal);

test('each kind of reaction is carried out, and what goes wrong is its outcome', async () => {
  const exec = await perform({ kind: 'exec', command: ['/bin/true'], timeoutMs: 60_000, environment: {} });
  assert.deepEqual(exec, { succeeded: true, detail: 'exit code 0, 0 bytes of output' });
  const pid = await perform({ kind: 'pidFile', pidFile: '/dev/null', signal: 'SIGHUP' });
  assert.equal(pid.succeeded, false);
  assert.match(pid.detail, /^\/dev\/null is no pid file: .* \(name a regular file /);
  const group = await perform({ kind: 'cgroup', cgroup: '/sys/fs/cgroup/no-such-group', signal: 'SIGHUP' });
  assert.equal(group.succeeded, false);
  assert.match(group.detail, /^cannot read \/sys\/fs\/cgroup\/no-such-group/);
});
