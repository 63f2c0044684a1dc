import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { signalCgroup } from '../../../src/projection/reactions/signal-cgroup.ts';
import { ControlGroup, controlGroupRoot } from '../../kernel/helpers/control-group.ts';

const root = controlGroupRoot();
const needsGroups = root === undefined ? { skip: 'no control group (v2) can be made on this host' } : {};
const signal = (cgroup: string): ReturnType<typeof signalCgroup> =>
  signalCgroup({ kind: 'cgroup', cgroup, signal: 'SIGTERM' });

describe('signalCgroup', needsGroups, () => {
  it('signals every process of the group and of those below, and no other', async () => {
    const top = new ControlGroup(root ?? '', `dunnage-test-${process.pid}`);
    const below = new ControlGroup(top.path, 'below');
    const children = [1, 2, 3].map(() => spawn('sleep', ['1000'], { stdio: 'ignore' }));
    const [first, second, outside] = children;
    const ends = Promise.all([first, second].map((child) => once(child ?? process, 'exit')));
    try {
      top.add(first?.pid ?? 0);
      below.add(second?.pid ?? 0);
      assert.deepEqual(await signal(top.path), { succeeded: true, detail: 'SIGTERM to 2 processes' });
      assert.deepEqual(await ends, [
        [null, 'SIGTERM'],
        [null, 'SIGTERM'],
      ]);
      await assert.rejects(signal(top.path), { code: 'NOT_FOUND', message: /no process is in/ });
      assert.equal(outside?.signalCode, null);
    } finally {
      for (const child of children) child.kill('SIGKILL');
      await ends;
      below.remove();
      top.remove();
    }
  });

  it('[S31] refuses a group that the daemon itself is in', async () => {
    await assert.rejects(signal(root ?? ''), { code: 'INVALID_ARGUMENT', message: /the daemon itself is in/ });
  });
});

it('a group that does not exist is not found', async () => {
  await assert.rejects(signal('/sys/fs/cgroup/no-such-group'), { code: 'NOT_FOUND', message: /cannot read/ });
});
