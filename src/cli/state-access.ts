/** Reaches what is stored: through the daemon that has it open, or directly if no daemon runs. */
import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { silentLog } from '../base/log.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { ControlOperations } from '../server/operations.ts';
import type { CommandContext } from './context.ts';
import { defaultStateDir } from './locations.ts';

export interface StateOptions {
  readonly stateDir?: string;
  readonly runtimeDir?: string;
  readonly keyFile?: string;
}

type StateWork = Pick<ControlOperations, 'fsck' | 'gc'>;

/**
 * `write`: whether the work changes anything. Throws what the work throws; NOT_FOUND if nothing is stored there,
 * ALREADY_RUNNING if a daemon uses the directory that does not answer here.
 */
export async function withState<T>(
  context: CommandContext,
  options: StateOptions,
  write: boolean,
  work: (state: StateWork) => Promise<T>,
): Promise<T> {
  const stateDir = resolve(options.stateDir ?? defaultStateDir(context.surroundings));
  const client = context.client();
  const served = await servedStateDir(client);
  if (served !== undefined && (options.stateDir === undefined || isSame(served, stateDir))) return await work(client);
  // Loaded only here: with a daemon the command needs neither the store nor the addon.
  const { withOfflineState } = await import('../daemon/offline-maintenance.ts');
  const { keyFile } = options;
  return await withOfflineState(
    { stateDir, runtimeDir: findRuntimeDir(context), keyFile, write, log: silentLog },
    work,
  );
}

/** Undefined if no daemon answers. */
async function servedStateDir(client: Pick<ControlOperations, 'status'>): Promise<string | undefined> {
  try {
    return (await client.status()).stateDir;
  } catch (error) {
    if (error instanceof DunnageError && error.code === 'UNREACHABLE') return undefined;
    throw error;
  }
}

function isSame(first: string, second: string): boolean {
  return realPath(first) === realPath(second);
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return path;
    throw error;
  }
}

/** A user without a session has no default one; then there is no key, and no holder either. */
function findRuntimeDir(context: CommandContext): string | undefined {
  try {
    return context.runtimeDir();
  } catch (error) {
    if (error instanceof DunnageError && error.code === 'INVALID_ARGUMENT') return undefined;
    throw error;
  }
}
