/** The directories that a daemon keeps its things in. */
import { makeDirectoriesSync } from '../base/make-directories.ts';
import { fromSystemError } from '../errors/dunnage-error.ts';
import type { DaemonOptions } from './daemon-options.ts';

/** Makes what is missing: the state is its owner's only, and whoever may get at the mount has to pass the runtime directory. */
export function makeDaemonDirectories({ stateDir, runtimeDir }: Pick<DaemonOptions, 'stateDir' | 'runtimeDir'>): void {
  for (const [path, mode] of [
    [stateDir, 0o700],
    [runtimeDir, 0o755],
  ] as const) {
    try {
      makeDirectoriesSync(path, mode);
    } catch (error) {
      throw fromSystemError(error, `cannot make ${path}`);
    }
  }
}
