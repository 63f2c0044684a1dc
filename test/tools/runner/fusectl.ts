/**
 * fusectl, the rescue of tests whose daemon is gone, mounted for the whole run. A test must not mount it when it needs it: it
 * would have to start a program, and a process that holds files of a mount nobody serves hangs in fork and exec (the kernel
 * sends FLUSH for each file that exec closes).
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const FUSECTL = '/sys/fs/fuse/connections';

/** Mounts it if root may and nobody has. Returns what takes it away again. */
export function mountFusectl(): () => void {
  const isMounted = readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${FUSECTL} `);
  if (isMounted || process.getuid?.() !== 0) return () => undefined;
  execFileSync('mount', ['-t', 'fusectl', 'none', FUSECTL]);
  return () => {
    execFileSync('umount', [FUSECTL]);
  };
}
