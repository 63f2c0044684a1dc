import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { describeCaller, toAuditEvent } from '../../../src/daemon/audit/caller-program.ts';
import { makeStateDirectory } from '../../store/state-directory.ts';

const file = { view: 'projections' as const, projection: 'web', path: 'a', generation: 1 };

test('describeCaller: program, name and ids of a process', () => {
  const described = describeCaller(process.pid);
  assert.equal(described.pid, process.pid);
  assert.equal(described.program, readlinkSync('/proc/self/exe'));
  assert.ok((described.command ?? '').length > 0);
  assert.deepEqual([described.uid, described.gid], [process.geteuid?.(), process.getegid?.()]);
});

test('describeCaller: a thread belongs to its process, and the ids are those for access to files', (t) => {
  const proc = makeStateDirectory(t);
  mkdirSync(join(proc, '42'));
  writeFileSync(join(proc, '42/status'), 'Name:\tworker\nTgid:\t40\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\n');
  writeFileSync(join(proc, '42/comm'), 'worker\n');
  symlinkSync('/usr/bin/server (deleted)', join(proc, '42/exe'));
  assert.deepEqual(describeCaller(42, proc), {
    pid: 40,
    program: '/usr/bin/server (deleted)',
    command: 'worker',
    uid: 4,
    gid: 8,
  });
});

test('describeCaller: of a process that is gone only the number is known, and of one that cannot be seen nothing', async () => {
  const child = spawn('true');
  await new Promise((resolve) => child.once('exit', resolve));
  const nothing = { program: undefined, command: undefined, uid: undefined, gid: undefined };
  assert.deepEqual(describeCaller(child.pid as number), { pid: child.pid, ...nothing });
  assert.deepEqual(describeCaller(0), { pid: 0, ...nothing });
});

test('toAuditEvent: the ids are what the kernel says, and from /proc only where it says none', () => {
  const caller = { uid: 7, gid: 8, pid: process.pid, resent: true, signal: undefined };
  const event = toAuditEvent(caller, file, 5);
  assert.deepEqual([event.uid, event.gid, event.timeMs, event.path, event.repeated], [7, 8, 5, 'a', true]);
  const unsaid = toAuditEvent({ ...caller, uid: 0xffff_ffff, gid: 0xffff_ffff }, file, 5);
  assert.deepEqual([unsaid.uid, unsaid.gid], [process.geteuid?.(), process.getegid?.()]);
});
