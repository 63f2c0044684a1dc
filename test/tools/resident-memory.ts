/** What processes occupy of the memory, as the kernel counts it. */
import { readdirSync, readFileSync } from 'node:fs';

/** Resident bytes of a process, mapped files among them, and of all that it started. */
export function residentBytes(pid: number): number {
  const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (resident === undefined) throw new Error(`process ${pid} occupies no memory`);
  return childrenOf(pid).reduce((sum, child) => sum + residentBytes(child), Number(resident) * 1024);
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
}

/** Descriptors that a process has open. */
export function openDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Bytes that a process has given to write(2) and its like so far: to files, and the little it says to sockets and pipes. */
export function writtenBytes(pid: number): number {
  const written = /^wchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1];
  if (written === undefined) throw new Error(`the kernel does not count what process ${pid} writes`);
  return Number(written);
}
