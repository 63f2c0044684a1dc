/** Loads the addon: the only module that does. Every thread that asks gets a binding of its own. */
import { createRequire } from 'node:module';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { NativeBinding } from './binding.ts';
import { builtFile } from './built-file.ts';
import { agentProgramPath, holderProgramPath } from './programs.ts';
import { withoutAddon } from './without-addon.ts';

let loaded: NativeBinding | undefined;
let standIn: NativeBinding | undefined;

/**
 * The addon, loaded at the first call.
 * @throws DunnageError MISSING_DEPENDENCY if it was not built or cannot be loaded here.
 */
export function loadAddon(): NativeBinding {
  if (loaded !== undefined) return loaded;
  const path = builtFile('dunnage.node');
  try {
    loaded = createRequire(import.meta.url)(path) as NativeBinding;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DunnageError('MISSING_DEPENDENCY', `cannot load the addon ${path}: ${reason}`, {
      remedy: 'build it for this machine: DUNNAGE_BUILD_FORCE=1 npm run build',
      cause,
    });
  }
  return loaded;
}

/**
 * The addon or, where it cannot be loaded, what plain Node.js can do in its place: functions that cannot be had without
 * it throw MISSING_DEPENDENCY with the reason.
 */
export function loadNative(): NativeBinding {
  if (standIn !== undefined) return standIn;
  try {
    return loadAddon();
  } catch (error) {
    if (!(error instanceof DunnageError)) throw error;
    standIn = withoutAddon(error);
    return standIn;
  }
}

/** Why the kernel transport cannot run here: the addon or one of the two programs is missing. Undefined if it can. */
export function missingNativePart(): DunnageError | undefined {
  try {
    loadAddon();
    agentProgramPath();
    holderProgramPath();
    return undefined;
  } catch (error) {
    if (error instanceof DunnageError) return error;
    throw error;
  }
}
