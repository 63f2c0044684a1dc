import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { LiveAgent } from '../../src/daemon/live-agent.ts';
import { hasEnded } from '../kernel/helpers/process-end.ts';

test('LiveAgent starts a process with the first thing to do, and ends it', async (t) => {
  const mountPoint = mkdtempSync(join(tmpdir(), 'dunnage-live-agent-'));
  t.after(() => rmSync(mountPoint, { recursive: true, force: true }));
  const agent = new LiveAgent({ mountPoint, log: silentLog });
  assert.ok(agent.pid === undefined);
  assert.deepEqual(await agent.run('', [{ kind: 'mkdir', name: 'd', mode: 0o755 }]), [0]);
  assert.deepEqual(readdirSync(mountPoint), ['d']);
  const { pid } = agent;
  assert.ok(pid !== undefined);
  await agent.close();
  assert.ok(await hasEnded(pid));
  await assert.rejects(agent.run('', [{ kind: 'rmdir', name: 'd' }]), { code: 'UNREACHABLE' });
});

test('LiveAgent that was never asked has nothing to end', async () => {
  await new LiveAgent({ mountPoint: '/nowhere', log: silentLog }).close();
});
