/** Absolute paths of the helper programs (see native/README.md). */
import { accessSync, constants } from 'node:fs';
import { DunnageError } from '../errors/dunnage-error.ts';
import { builtFile } from './built-file.ts';

/** The program that makes system calls through the mount. @throws DunnageError MISSING_DEPENDENCY */
export function agentProgramPath(): string {
  return programPath('dunnage-agent');
}

/** The program that freezes file systems of thin pools. @throws DunnageError MISSING_DEPENDENCY */
export function freezerProgramPath(): string {
  return programPath('dunnage-freezer');
}

/** The program that keeps descriptors while no daemon runs. @throws DunnageError MISSING_DEPENDENCY */
export function holderProgramPath(): string {
  return programPath('dunnage-holder');
}

function programPath(name: string): string {
  const path = builtFile(name);
  try {
    accessSync(path, constants.X_OK);
  } catch (cause) {
    throw new DunnageError('MISSING_DEPENDENCY', `${path} cannot be executed`, {
      remedy: 'build it again (DUNNAGE_BUILD_FORCE=1 npm run build), on a file system that is not mounted noexec',
      cause,
    });
  }
  return path;
}
