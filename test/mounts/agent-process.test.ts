import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Log, LogFields } from '../../src/base/log.ts';
import { silentLog } from '../../src/base/log.ts';
import { AgentProcess } from '../../src/mounts/agent-process.ts';
import { agentProgramPath } from '../../src/native/programs.ts';

function scriptedAgent(context: TestContext, script: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'dunnage-agent-process-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'agent');
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

test('an agent that ends by itself is reported with its exit code, and its complaint is logged', async (context) => {
  const warnings: LogFields[] = [];
  const log: Log = { ...silentLog, warn: (fields) => warnings.push(fields) };
  const programPath = scriptedAgent(context, '/bin/echo "I cannot" >&2; exit 3');
  const agent = new AgentProcess({ programPath, baseDirectory: '/', log });
  await assert.rejects(agent.run('', []), { code: 'INTERRUPTED', message: /exit code 3/ });
  assert.equal(agent.ended, true);
  assert.equal(agent.pid, undefined);
  assert.equal(warnings[0]?.['text'], 'I cannot');
});

test('an agent that talks nonsense is killed, and the run says so', async (context) => {
  const programPath = scriptedAgent(
    context,
    "printf '\\006\\000\\000\\000\\001\\000\\000\\000\\001\\000'; exec /bin/sleep 60",
  );
  const agent = new AgentProcess({ programPath, baseDirectory: '/', log: silentLog });
  await assert.rejects(agent.run('', []), { code: 'CORRUPT' });
});

test('an agent that does not answer is ended by close all the same', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const programPath = scriptedAgent(context, 'exec /bin/sleep 60');
  const agent = new AgentProcess({ programPath, baseDirectory: '/', log: silentLog });
  const run = agent.run('', []).catch((error: unknown) => error);
  const closed = agent.close();
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  // First the run has its time, then the process its own; the kill that follows ends it for good.
  for (let waits = 0; waits < 2; waits++) {
    await turn();
    context.mock.timers.tick(3_000);
  }
  await closed;
  assert.equal(((await run) as { code: string }).code, 'INTERRUPTED');
  assert.equal(agent.ended, true);
});

test('the agent ends when its parent is killed, even if it cannot notice the end of its input', async () => {
  const program = `
    import { spawn } from 'node:child_process';
    const agent = spawn(${JSON.stringify(agentProgramPath())}, ['/'], { stdio: ['inherit', 'pipe', 'inherit'] });
    console.log(agent.pid);
    setInterval(() => {}, 1000);
  `;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(line.toString());
  process.kill(pid, 0);
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  // As an orphan it is init's to collect, which may leave it a zombie.
  const gone = (): boolean => {
    try {
      return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    } catch {
      return true;
    }
  };
  for (let tries = 0; tries < 20_000 && !gone(); tries++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(gone());
  parent.stdin.destroy();
});
