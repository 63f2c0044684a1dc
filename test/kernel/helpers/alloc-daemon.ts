/** Daemons with allocs, for tests that look at them as containers and people do. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { type MountRow, readMountTable } from '../../../src/mounts/mount-table.ts';
import type { DaemonProcess } from '../../tools/daemon-process.ts';
import { until } from '../../tools/until.ts';

const run = promisify(execFile);

export interface TaskWords {
  readonly name: string;
  readonly [field: string]: unknown;
}

export function allocManifest(name: string, ...tasks: readonly TaskWords[]): string {
  return JSON.stringify({ apiVersion: 'dunnage/v1', kind: 'Alloc', metadata: { name }, spec: { tasks } });
}

export const configMap = (name: string, data: Readonly<Record<string, string>>): string =>
  JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data });

/** A path in an alloc, as containers see it. */
export function inAlloc(daemon: DaemonProcess, ...parts: readonly string[]): string {
  return join(daemon.mountPoint, 'allocs', ...parts);
}

/** Where the files of allocs really are. */
export function backing(daemon: DaemonProcess, ...parts: readonly string[]): string {
  return join(daemon.stateDir, 'allocs/tree', ...parts);
}

/** Everything that is mounted in the daemon's folder, in mount order. */
export async function mountsOf(daemon: DaemonProcess): Promise<readonly MountRow[]> {
  return (await readMountTable()).filter(({ mountPoint }) => mountPoint.startsWith(`${daemon.folder}/`));
}

/** Mounts in and for one alloc: `web/secrets`, `(secrets) web`. */
export async function mountsOfAlloc(daemon: DaemonProcess, id: string): Promise<readonly string[]> {
  const [tree, memory] = [`${inAlloc(daemon, id)}/`, `${daemon.runtimeDir}/`];
  return (await mountsOf(daemon))
    .map(({ mountPoint }) => mountPoint)
    .flatMap((path) => {
      if (path.startsWith(tree)) return [path.slice(tree.length)];
      const rest = path.startsWith(memory) ? path.slice(memory.length) : '';
      const [kind, owner, task] = rest.split('/');
      return owner === id && kind !== 'mnt' ? [`(${kind}) ${task}`] : [];
    })
    .toSorted();
}

export interface Holder {
  readonly pid: number;
  end(): Promise<void>;
}

/** Runs a program that stays until it is ended; it says when it is there by printing a line. */
export async function startHolding(t: TestContext, program: string, ...args: readonly string[]): Promise<Holder> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  await Promise.race([once(child.stdout, 'data'), ended]);
  return {
    pid: child.pid as number,
    async end(): Promise<void> {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

async function isGone(daemon: DaemonProcess, id: string): Promise<boolean> {
  return !(await daemon.client.listAllocs()).some((alloc) => alloc.id === id);
}

export async function untilGone(daemon: DaemonProcess, id: string): Promise<void> {
  await until(`alloc ${id} to be gone`, () => isGone(daemon, id));
}

/** Leaves none, for the next test. */
export async function deleteAllocs(daemon: DaemonProcess): Promise<void> {
  for (const { id } of await daemon.client.listAllocs()) await daemon.client.deleteAlloc(id);
  await until('all allocs to be gone', async () => (await daemon.client.listAllocs()).length === 0);
}

/** What a reboot takes away: every mount, every process of the daemon, and everything below the runtime directory. */
export async function reboot(daemon: DaemonProcess): Promise<void> {
  const { pid, holderPid } = await daemon.client.status();
  process.kill(pid, 'SIGKILL');
  if (holderPid !== undefined) process.kill(holderPid, 'SIGKILL');
  for (const name of await processesIn(daemon)) await run('kill', ['-9', name]).catch(() => undefined);
  for (const { mountPoint } of (await mountsOf(daemon)).toReversed()) {
    await run('umount', ['--lazy', mountPoint]).catch(() => undefined);
  }
  await run('rm', ['-rf', '--one-file-system', daemon.runtimeDir]);
}

/** Agents of the daemon, which end with it a moment later. */
async function processesIn(daemon: DaemonProcess): Promise<string[]> {
  const { stdout } = await run('sh', ['-c', 'grep -sl "$0" /proc/[0-9]*/cmdline || true', daemon.mountPoint]);
  const pids = stdout.split('\n').flatMap((path) => path.split('/')[2] ?? []);
  const agents: string[] = [];
  for (const pid of pids) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (command.includes('dunnage-agent')) agents.push(pid);
  }
  return agents;
}
