/** What the mount table says about a tree of ours, and clearing away one that nobody serves. */
import { statfs } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { type Clock, systemClock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { isAtOrBeneath } from '../base/paths.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import { unmount } from '../mounts/fuse-mount.ts';
import { readMountTable } from '../mounts/mount-table.ts';
import { realPlace } from './real-place.ts';

const FILE_SYSTEM_TYPE = 'fuse.dunnage';
/** A dead connection answers at once; one that does not answer has a server that may still come back. */
const ANSWER_TIMEOUT_MS = 3_000;
const ORPHAN_END_MS = 1_000;
const ORPHAN_LOOK_MS = 50;

/** Mount points of ours at and below the path, parents first. */
export async function mountsBeneath(mountPoint: string): Promise<string[]> {
  const place = await realPlace(mountPoint);
  return (await readMountTable())
    .filter((row) => row.type === FILE_SYSTEM_TYPE)
    .map((row) => row.mountPoint)
    .filter((path) => isAtOrBeneath(path, place));
}

/** Every mount at and below the path, of whatever type: the deepest first, and of several on one place the uppermost. */
export async function allMountsBeneath(path: string): Promise<string[]> {
  const place = await realPlace(path);
  const depthOf = (mountPoint: string): number => mountPoint.split('/').length;
  return (await readMountTable())
    .map(({ mountPoint }) => mountPoint)
    .filter((mountPoint) => isAtOrBeneath(mountPoint, place))
    .reverse()
    .toSorted((a, b) => depthOf(b) - depthOf(a));
}

/**
 * Unmounts everything at and below the path. What is busy is detached: it disappears here, and ends for those who still use it
 * when its server does.
 */
export async function unmountAllBeneath(path: string, log: Log): Promise<void> {
  for (const mountPoint of await allMountsBeneath(path)) {
    try {
      await unmount(mountPoint, { detach: false });
    } catch (error) {
      const { code } = error as DunnageError;
      // It went with one that it was a copy of.
      if (code === 'INVALID_ARGUMENT' || code === 'NOT_FOUND') continue;
      if (code !== 'BUSY') throw error;
      log.warn({ path: mountPoint }, 'still in use: detached');
      await unmount(mountPoint, { detach: true });
    }
  }
}

export async function isMounted(mountPoint: string): Promise<boolean> {
  return (await mountsBeneath(mountPoint)).length > 0;
}

/**
 * `clearDeadMounts`, which a mount that is still alive gets a moment for: the serving process of a daemon that was just killed
 * (transport fuse-native) notices that and ends.
 */
export async function clearAbandonedMounts(mountPoint: string, log: Log, clock: Clock = systemClock): Promise<void> {
  const endMs = clock.monotonicMs() + ORPHAN_END_MS;
  for (;;) {
    try {
      return await clearDeadMounts(mountPoint, log);
    } catch (error) {
      const isAlive = error instanceof DunnageError && error.code === 'ALREADY_RUNNING';
      if (!isAlive || clock.monotonicMs() >= endMs) throw error;
      await delay(ORPHAN_LOOK_MS);
    }
  }
}

/** Detaches trees whose connection is over. Throws ALREADY_RUNNING if one is served by somebody else. */
export async function clearDeadMounts(mountPoint: string, log: Log): Promise<void> {
  for (;;) {
    // The outermost takes along what is mounted in it.
    const [path] = await mountsBeneath(mountPoint);
    if (path === undefined) return;
    if (!(await isDead(path))) {
      throw new DunnageError('ALREADY_RUNNING', `another daemon serves ${path}`, {
        remedy: 'choose another --mount, or end it with: dunnage down',
      });
    }
    log.warn({ path }, 'a dead mount of an earlier daemon is cleared away');
    await unmount(path, { detach: true });
  }
}

async function isDead(mountPoint: string): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, ANSWER_TIMEOUT_MS, false);
  });
  // Not stat(2): the kernel answers that from its cache even when nobody is behind the connection any more.
  const answer = statfs(mountPoint).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === 'ENOTCONN' || error.code === 'ECONNABORTED',
  );
  try {
    return await Promise.race([answer, silence]);
  } finally {
    clearTimeout(timer);
  }
}
