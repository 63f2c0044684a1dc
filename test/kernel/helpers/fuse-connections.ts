/** The kernel's own list of mounts and FUSE connections, read without touching any mount. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './run.ts';

const FUSECTL = '/sys/fs/fuse/connections';

export interface Mount {
  readonly target: string;
  /** `fuse.dunnage`, `ext4`, ... */
  readonly type: string;
  /** Minor device number: names the connection in fusectl. */
  readonly minor: number;
}

/** Mounts at or below a path, outer ones first. */
export async function mountsBeneath(path: string): Promise<Mount[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  return table
    .split('\n')
    .filter((line) => line !== '')
    .map(parseMount)
    .filter(({ target }) => target === path || target.startsWith(`${path}/`));
}

function parseMount(line: string): Mount {
  const [head = '', tail = ''] = line.split(' - ');
  const fields = head.split(' ');
  const target = (fields[4] ?? '').replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
  return { target, type: tail.split(' ')[0] ?? '', minor: Number(fields[2]?.split(':')[1]) };
}

/** Ends a connection from outside: every waiting request fails with ECONNABORTED. A connection that is gone is fine. */
export function abortConnection(minor: number): Promise<void> {
  return withFusectl(async () => {
    try {
      await writeFile(join(FUSECTL, String(minor), 'abort'), '1');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  });
}

/** Requests that somebody waits for on this connection, as the kernel counts them. */
export function waitingRequests(minor: number): Promise<number> {
  return withFusectl(async () => Number(await readFile(join(FUSECTL, String(minor), 'waiting'), 'utf8')));
}

/** Runs with fusectl mounted where it belongs, and leaves that as it was. */
async function withFusectl<T>(use: () => Promise<T>): Promise<T> {
  if ((await mountsBeneath(FUSECTL)).length > 0) return use();
  await run('mount', ['-t', 'fusectl', 'none', FUSECTL]);
  try {
    return await use();
  } finally {
    await run('umount', [FUSECTL]);
  }
}
