/**
 * Signals every process that is in a control group, or in one below it, at one moment. A number is read from the group, held
 * by a descriptor, and must be in the group still: a number that was given out again meanwhile is in another one.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import type { CgroupReaction, ReactionOutcome } from './reaction.ts';
import { signalNumber, withProcess } from './signal-process.ts';

/** @throws DunnageError NOT_FOUND (no such group, or nothing in it), INVALID_ARGUMENT (the daemon is in it), PERMISSION_DENIED, IO */
export async function signalCgroup({ cgroup, signal }: CgroupReaction): Promise<ReactionOutcome> {
  const number = signalNumber(signal);
  const groups = await readGroups(cgroup);
  if ([...groups.values()].some((processes) => processes.has(process.pid))) {
    throw new DunnageError('INVALID_ARGUMENT', `the daemon itself is in ${cgroup}`, {
      remedy: 'name a control group that holds the program only',
    });
  }
  let signalled = 0;
  for (const [group, processes] of groups) {
    for (const processId of processes) {
      const isSignalled = await withProcess(
        processId,
        async (send) => (await readProcesses(group)).has(processId) && send(number),
      );
      if (isSignalled) signalled += 1;
    }
  }
  if (signalled === 0) throw new DunnageError('NOT_FOUND', `no process is in ${cgroup}`);
  return { succeeded: true, detail: `${signal} to ${signalled} ${signalled === 1 ? 'process' : 'processes'}` };
}

async function readGroups(top: string): Promise<Map<string, ReadonlySet<number>>> {
  const groups = new Map<string, ReadonlySet<number>>();
  const waiting = [top];
  for (let group = waiting.pop(); group !== undefined; group = waiting.pop()) {
    const processes = await readProcesses(group, group !== top);
    groups.set(group, processes);
    waiting.push(...(await childrenOf(group)));
  }
  return groups;
}

/** Zero stands for a process of a foreign pid namespace, which cannot be named from here. */
async function readProcesses(group: string, mayBeGone = true): Promise<ReadonlySet<number>> {
  try {
    const text = await readFile(join(group, 'cgroup.procs'), 'latin1');
    return new Set(
      text
        .split('\n')
        .map(Number)
        .filter((processId) => processId > 0),
    );
  } catch (error) {
    if (mayBeGone && isGone(error)) return new Set();
    throw fromSystemError(error, `cannot read ${group}/cgroup.procs`);
  }
}

async function childrenOf(group: string): Promise<string[]> {
  try {
    const entries = await readdir(group, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(group, name));
  } catch (error) {
    if (isGone(error)) return [];
    throw fromSystemError(error, `cannot list ${group}`);
  }
}

function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENODEV';
}
