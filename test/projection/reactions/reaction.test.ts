import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeReaction } from '../../../src/projection/reactions/reaction.ts';

test('describeReaction names what is done, without arguments and environment', () => {
  const command = ['/usr/bin/tool', '--password', 'hunter2'];
  const exec = describeReaction({ kind: 'exec', command, timeoutMs: 1, environment: { TOKEN: 'hunter2' } });
  assert.equal(exec, 'exec /usr/bin/tool');
  assert.equal(describeReaction({ kind: 'pidFile', pidFile: '/run/a.pid', signal: 'SIGHUP' }), 'SIGHUP to /run/a.pid');
  const cgroup = '/sys/fs/cgroup/app.slice';
  assert.equal(describeReaction({ kind: 'cgroup', cgroup, signal: 'SIGUSR1' }), `SIGUSR1 to ${cgroup}`);
});
