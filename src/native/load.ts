/** Loads the addon: the only module that does. Every thread that asks gets a binding of its own. */
import { createRequire } from 'node:module';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { NativeBinding } from './binding.ts';
import { builtFile } from './built-file.ts';

let loaded: NativeBinding | undefined;

/**
 * The addon, loaded at the first call.
 * @throws DunnageError MISSING_DEPENDENCY if it was not built or cannot be loaded here.
 */
export function loadNative(): NativeBinding {
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
