/** Names of what a daemon keeps in its directories, shared with the command line. */
import { join } from 'node:path';

export function holderSocketPath(runtimeDir: string): string {
  return join(runtimeDir, 'holder.sock');
}

export function sealingKeyPath(runtimeDir: string): string {
  return join(runtimeDir, 'secret.key');
}

/** In the state directory: who opened which audited file. */
export function auditLogPath(stateDir: string): string {
  return join(stateDir, 'audit.log');
}

/** Held while a daemon uses the directory. */
export function lockPath(directory: string): string {
  return join(directory, 'lock');
}
