/**
 * Who a thread is that waits for us in open(2), from /proc. It cannot have gone on meanwhile, but it may have been killed, or be
 * in a process namespace of its own: then less is known.
 *
 * Nothing here waits for the thread's memory (as `cmdline` would): it may be waiting for this very daemon.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import type { DescribedFile } from '../../projection/projection-tree.ts';
import type { Caller } from '../../vfs/file-system.ts';
import type { AuditEvent } from './audit-event.ts';

export interface CallerProgram {
  /** Of the process; the thread's own if that is all that is known. */
  readonly pid: number;
  readonly program: string | undefined;
  readonly command: string | undefined;
  /** Ids that count for access to files. */
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

/** `thread`: its number as the daemon sees it; 0 if it does not. */
export function describeCaller(thread: number, proc = '/proc'): CallerProgram {
  if (thread === 0) return { pid: 0, program: undefined, command: undefined, uid: undefined, gid: undefined };
  const status = ifThere(() => readFileSync(`${proc}/${thread}/status`, 'utf8')) ?? '';
  return {
    pid: field(status, 'Tgid', 0) ?? thread,
    program: ifThere(() => readlinkSync(`${proc}/${thread}/exe`)),
    command: ifThere(() => readFileSync(`${proc}/${thread}/comm`, 'utf8'))?.trimEnd(),
    // Real, effective, saved, file system.
    uid: field(status, 'Uid', 3),
    gid: field(status, 'Gid', 3),
  };
}

/** What the kernel says in place of ids where mounts may map them. */
const UNKNOWN_ID = 0xffff_ffff;

export function toAuditEvent(caller: Caller, file: DescribedFile, timeMs: number): AuditEvent {
  const { pid, program, command, uid = UNKNOWN_ID, gid = UNKNOWN_ID } = describeCaller(caller.pid);
  return {
    timeMs,
    ...file,
    uid: caller.uid === UNKNOWN_ID ? uid : caller.uid,
    gid: caller.gid === UNKNOWN_ID ? gid : caller.gid,
    pid,
    program,
    command,
    repeated: caller.resent,
  };
}

function field(status: string, name: string, position: number): number | undefined {
  const line = new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1];
  const word = line?.split(/\s+/)[position];
  return word === undefined ? undefined : Number(word);
}

/** Undefined for a process that is gone, one without a program (a kernel thread), or one that must not be looked at. */
function ifThere<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(code)) return undefined;
    throw error;
  }
}
