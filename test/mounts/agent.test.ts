/** The agent program and its client on a plain directory; with root also on a mount that everybody else sees read-only. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import { MountAgent } from '../../src/mounts/agent.ts';
import { type AgentCommand, agentCommand } from '../../src/mounts/agent-command.ts';
import { findMount } from '../../src/mounts/mount-table.ts';
import { loadNative } from '../../src/native/load.ts';
import { agentProgramPath } from '../../src/native/programs.ts';
import type { MountOperation, ThroughMount } from '../../src/vfs/ports.ts';
import { skipUnlessRoot } from '../native/helpers/fuse-available.ts';
import { until } from '../tools/until.ts';

const { EEXIST, EINVAL, ENOENT, EXDEV, ELOOP, ENOTDIR, EROFS } = constants.errno;

const AGENTS: Readonly<Record<string, AgentCommand>> = {
  'dunnage-agent': { programPath: agentProgramPath(), programArguments: [] },
  'its stand-in': agentCommand(() => {
    throw new DunnageError('MISSING_DEPENDENCY', 'not built');
  }),
};

interface Scene {
  readonly folder: string;
  readonly base: string;
  readonly agent: MountAgent;
}

/** A test of each agent. */
function both(title: string, body: (scene: Scene) => Promise<void>): void {
  for (const [name, command] of Object.entries(AGENTS)) {
    test(`${title} (${name})`, (context) => body(scene(context, command)));
  }
}

function scene(context: TestContext, command = AGENTS['dunnage-agent'] as AgentCommand): Scene {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'dunnage-agent-')));
  const base = join(folder, 'base');
  mkdirSync(base);
  const agent = MountAgent.start({ ...command, baseDirectory: base, log: silentLog });
  context.after(async () => {
    await agent.close();
    if ((await findMount(base)) !== undefined) loadNative().unmount(base, true);
    rmSync(folder, { recursive: true, force: true });
  });
  return { folder, base, agent };
}

both('the agent fits the port it is made for', async ({ agent }) => {
  const port: ThroughMount = agent;
  assert.deepEqual(await port.run('', []), []);
});

both('run makes every kind of call, in order, in the directory of the batch', async ({ base, agent }) => {
  mkdirSync(join(base, 'p'));
  const outcomes = await agent.run('p', [
    { kind: 'mkdir', name: '..ts', mode: 0o2775 },
    { kind: 'symlink', name: '..data_tmp', target: '..ts' },
    { kind: 'rename', name: '..data_tmp', newName: '..data' },
    { kind: 'mkdir', name: 'gone', mode: 0o700 },
    { kind: 'rmdir', name: 'gone' },
    { kind: 'symlink', name: 'stale', target: '/anything/at all' },
    { kind: 'unlink', name: 'stale' },
  ]);
  assert.deepEqual(outcomes, [0, 0, 0, 0, 0, 0, 0]);
  assert.deepEqual(readdirSync(join(base, 'p')).sort(), ['..data', '..ts']);
  assert.equal(readlinkSync(join(base, 'p/..data')), '..ts');
  assert.equal(lstatSync(join(base, 'p/..ts')).mode & 0o777, 0o775, 'no umask of the daemon');
});

both('run makes files, writes one byte into them and changes their mode', async ({ folder, base, agent }) => {
  const outcomes = await agent.run('', [
    { kind: 'mknod', name: 'f', mode: 0o640 },
    { kind: 'modify', name: 'f' },
    { kind: 'chmod', name: 'f', mode: 0o604 },
  ]);
  assert.deepEqual(outcomes, [0, 0, 0]);
  const { mode, size } = lstatSync(join(base, 'f'));
  assert.deepEqual([mode & 0o7777, size], [0o604, 1]);
  assert.deepEqual(await agent.run('', [{ kind: 'mknod', name: 'f', mode: 0o600 }]), [EEXIST]);
  assert.deepEqual(await agent.run('', [{ kind: 'modify', name: 'none' }]), [ENOENT]);
  writeFileSync(join(folder, 'outside'), 'untouched');
  symlinkSync('../outside', join(base, 'link'));
  assert.deepEqual(await agent.run('', [{ kind: 'modify', name: 'link' }]), [ELOOP]);
  assert.equal(readFileSync(join(folder, 'outside'), 'utf8'), 'untouched');
});

both('run stops at the first failure, whose errno is the last outcome', async ({ base, agent }) => {
  const outcomes = await agent.run('', [
    { kind: 'mkdir', name: 'a', mode: 0o755 },
    { kind: 'mkdir', name: 'a', mode: 0o755 },
    { kind: 'mkdir', name: 'never', mode: 0o755 },
  ]);
  assert.deepEqual(outcomes, [0, EEXIST]);
  assert.deepEqual(readdirSync(base), ['a']);
  assert.deepEqual(await agent.run('', []), []);
});

both('no directory of a batch lies outside the base, and no link is followed', async ({ folder, base, agent }) => {
  mkdirSync(join(folder, 'outside'));
  mkdirSync(join(base, 'inside'));
  symlinkSync('../outside', join(base, 'escape'));
  symlinkSync('inside', join(base, 'link'));
  writeFileSync(join(base, 'file'), '');
  const make: MountOperation[] = [{ kind: 'mkdir', name: 'made', mode: 0o755 }];
  for (const [directory, errno] of [
    ['..', EXDEV],
    ['../outside', EXDEV],
    ['inside/../../outside', EXDEV],
    [join(folder, 'outside'), EXDEV],
    ['escape', ELOOP],
    ['link', ELOOP],
    ['file', ENOTDIR],
    ['missing', ENOENT],
  ] as const) {
    assert.deepEqual(await agent.run(directory, make), [errno], directory);
  }
  assert.deepEqual(readdirSync(join(folder, 'outside')), []);
  assert.deepEqual(await agent.run('inside', make), [0]);
});

both('names are single components', async ({ folder, base, agent }) => {
  mkdirSync(join(base, 'sub'));
  for (const name of ['../x', 'sub/x', '/x', '.', '..', '']) {
    for (const operation of [
      { kind: 'mkdir', name, mode: 0o755 },
      { kind: 'symlink', name, target: 't' },
      { kind: 'unlink', name },
      { kind: 'rmdir', name },
      { kind: 'rename', name, newName: 'fine' },
      { kind: 'rename', name: 'sub', newName: name },
    ] as const) {
      assert.deepEqual(await agent.run('', [operation]), [EINVAL], JSON.stringify(operation));
    }
  }
  assert.equal(existsSync(join(folder, 'x')), false);
  assert.deepEqual(readdirSync(base), ['sub']);
});

both('many runs at once get each their own outcomes', async ({ agent }) => {
  const runs = Array.from({ length: 300 }, (_, index) =>
    agent.run('', [
      { kind: 'mkdir', name: `d${index}`, mode: 0o755 },
      index % 2 === 0 ? { kind: 'rmdir', name: `d${index}` } : { kind: 'rmdir', name: 'missing' },
    ]),
  );
  assert.deepEqual(
    await Promise.all(runs),
    runs.map((_, index) => [0, index % 2 === 0 ? 0 : ENOENT]),
  );
});

both('a run may be longer than one frame holds', async ({ base, agent }) => {
  const operations: MountOperation[] = Array.from({ length: 2500 }, (_, index) => ({
    kind: 'symlink',
    name: `link-${index}`,
    target: `..data/link-${index}`,
  }));
  operations[2400] = { kind: 'unlink', name: 'missing' };
  const outcomes = await agent.run('', operations);
  assert.equal(outcomes.length, 2401);
  assert.equal(outcomes.at(-1), ENOENT);
  assert.equal(readdirSync(base).length, 2400);
});

both('names with NUL characters are refused and harm nobody else', async ({ agent }) => {
  await assert.rejects(agent.run('', [{ kind: 'unlink', name: 'a\0b' }]), { code: 'INVALID_PATH' });
  assert.deepEqual(await agent.run('', [{ kind: 'unlink', name: 'a' }]), [ENOENT]);
});

test('the agent has no descriptor but its three pipes, and a base that is gone is an outcome', async (context) => {
  const { base, agent } = scene(context);
  await agent.run('', [{ kind: 'unlink', name: 'x' }]);
  // It answers before it closes what it opened.
  await until('it has its three pipes only', () => readdirSync(`/proc/${agent.pid}/fd`).sort().join() === '0,1,2');
  rmSync(base, { recursive: true });
  assert.deepEqual(await agent.run('', [{ kind: 'unlink', name: 'x' }]), [ENOENT]);
});

/** Of the kernel: one letter for each thread. */
function threadStates(pid: number): string[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const status = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8');
    return status.slice(status.lastIndexOf(')') + 2)[0] as string;
  });
}

both('an agent that is killed is started anew by the next run', async ({ agent }) => {
  const first = agent.pid as number;
  process.kill(first, 'SIGSTOP');
  await until('it is stopped', () => threadStates(first).every((state) => state === 'T'));
  const pending = agent.run('', [{ kind: 'unlink', name: 'x' }]);
  process.kill(first, 'SIGKILL');
  await assert.rejects(pending, { code: 'INTERRUPTED', message: new RegExp(`pid ${first}.*SIGKILL`) });
  assert.equal(agent.pid, undefined);
  assert.deepEqual(await agent.run('', [{ kind: 'unlink', name: 'x' }]), [ENOENT]);
  assert.notEqual(agent.pid, first);
});

test('a program that cannot be started is told by the run', async () => {
  const agent = MountAgent.start({ programPath: '/no/such/agent', baseDirectory: '/', log: silentLog });
  await assert.rejects(agent.run('', [{ kind: 'unlink', name: 'x' }]), { code: 'MISSING_DEPENDENCY' });
  await agent.close();
});

both('close waits for runs under way, ends the process and refuses later runs', async ({ agent }) => {
  const pid = agent.pid as number;
  const pending = agent.run('', [{ kind: 'unlink', name: 'x' }]);
  await Promise.all([agent.close(), agent.close()]);
  assert.deepEqual(await pending, [ENOENT]);
  assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  await assert.rejects(agent.run('', [{ kind: 'unlink', name: 'x' }]), { code: 'UNREACHABLE' });
});

test('the agent writes through a mount point that is read-only to everybody else', {
  skip: skipUnlessRoot(),
}, async (context) => {
  const { base, agent } = scene(context);
  const native = loadNative();
  execFileSync('mount', ['-t', 'tmpfs', 'dunnage-test', base]);
  native.setMountReadOnly(base, true);
  assert.throws(() => mkdirSync(join(base, 'mine')), { code: 'EROFS' });
  assert.deepEqual(await agent.run('', [{ kind: 'mkdir', name: 'made', mode: 0o755 }]), [0]);
  assert.deepEqual(readdirSync(base), ['made']);
  const row = await findMount(base);
  assert.ok(row?.options.includes('ro') && row.superOptions.includes('rw'), 'still read-only for others');

  native.setMountReadOnly(base, false);
  mkdirSync(join(base, 'mine'));
  // Nothing of the agent keeps the file system busy between batches.
  execFileSync('mount', ['-o', 'remount,ro', base]);
  assert.deepEqual(await agent.run('', [{ kind: 'mkdir', name: 'late', mode: 0o755 }]), [EROFS]);
});

test('attach shows a directory of the base elsewhere, and detach takes away what is mounted on one', {
  skip: skipUnlessRoot(),
}, async (context) => {
  const { folder, base, agent } = scene(context);
  const target = join(base, 'target');
  for (const name of ['source', 'target']) mkdirSync(join(base, name));
  writeFileSync(join(base, 'source/file'), 'x');
  assert.deepEqual(await agent.run('', [{ kind: 'attach', name: 'source', target }]), [0]);
  assert.deepEqual(readdirSync(target), ['file']);
  assert.deepEqual(await agent.run('', [{ kind: 'detach', name: 'target' }]), [0]);
  assert.deepEqual(readdirSync(target), []);
  for (const [operation, errno] of [
    [{ kind: 'detach', name: 'target' }, EINVAL],
    [{ kind: 'attach', name: 'missing', target }, ENOENT],
    [{ kind: 'attach', name: 'source', target: 'relative' }, EINVAL],
    [{ kind: 'attach', name: '../base', target }, EINVAL],
    [{ kind: 'detach', name: '../base' }, EINVAL],
  ] as const) {
    assert.deepEqual(await agent.run('', [operation]), [errno], JSON.stringify(operation));
  }
  assert.ok((await findMount(join(folder, 'base/target'))) === undefined);
});
