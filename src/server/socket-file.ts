/**
 * The file of a listening unix socket.
 *
 * A socket is born in a directory only its owner can enter, gets its mode there, and only then its public name, with
 * link(2): it is 0600 from the first moment anybody can see it, and never takes the place of another one. (A umask
 * around bind would do for one thread, but it holds for the whole process, and other threads make files meanwhile.)
 */
import { chmod, link, lstat, mkdtemp, rm, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { limits } from '../base/limits.ts';
import { DunnageError, fromSystemError } from '../errors/dunnage-error.ts';

/** Listens on the path it is given; resolves when it does. */
export type Listen = (path: string) => Promise<unknown>;

/**
 * Has `listen` make a socket that ends up at `path` with mode 0600, after cleaning a socket there that nobody serves. Resolves to a
 * function that removes the file again, if it is still this one.
 *
 * @throws ALREADY_RUNNING if somebody answers at `path`; ALREADY_EXISTS if something else than a socket is there; NAME_TOO_LONG.
 */
export async function publishSocket(path: string, listen: Listen): Promise<() => Promise<void>> {
  requireShortEnough(path);
  await cleanDeadSocket(path);
  const nursery = await mkdtemp(join(dirname(path), '.s')).catch((error: unknown) => {
    throw fromSystemError(error, `cannot make the control socket ${path}`);
  });
  try {
    const born = join(nursery, 's');
    requireShortEnough(born);
    await listen(born);
    await chmod(born, 0o600);
    await link(born, path);
  } catch (error) {
    if ((error as { code?: unknown }).code === 'EEXIST') throw alreadyRunning(path);
    throw fromSystemError(error, `cannot make the control socket ${path}`);
  } finally {
    await rm(nursery, { recursive: true, force: true });
  }
  const { ino: inode, dev: device } = await lstat(path);
  return async () => {
    const now = await lstat(path).catch(() => undefined);
    if (now?.ino === inode && now.dev === device) await unlink(path);
  };
}

async function cleanDeadSocket(path: string): Promise<void> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw fromSystemError(error, `cannot look at ${path}`);
  });
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new DunnageError('ALREADY_EXISTS', `${path} exists and is not a socket`, {
      remedy: 'move it away, or choose another path with --socket',
    });
  }
  if (await isServed(path)) throw alreadyRunning(path);
  await unlink(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw fromSystemError(error, `cannot remove the socket of a dead daemon ${path}`);
  });
}

/** Whether somebody listens at the path. Only ECONNREFUSED proves that nobody does. */
function isServed(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(false);
      // A full backlog: somebody listens, but is busy.
      else if (error.code === 'EAGAIN') resolve(true);
      else reject(fromSystemError(error, `cannot find out whether a daemon serves ${path}`));
    });
  });
}

/** @throws DunnageError NAME_TOO_LONG */
export function requireShortEnough(path: string): void {
  if (Buffer.byteLength(path) <= limits.socketPathBytesMax) return;
  // The kernel's field is this short, and Node would cut the path without a word.
  throw new DunnageError('NAME_TOO_LONG', `the socket path ${path} is longer than ${limits.socketPathBytesMax} bytes`, {
    remedy: 'choose a shorter --runtime-dir or --socket',
  });
}

function alreadyRunning(path: string): DunnageError {
  return new DunnageError('ALREADY_RUNNING', `a daemon already serves ${path}`, {
    remedy: 'see it with: dunnage status; end it with: dunnage down',
  });
}
