/** Which key seals Secrets, and what there is to say about it in the status. */
import { constants } from 'node:os';
import type { SealingKeyStatus } from '../server/operations.ts';
import { SealingKey } from '../store/sealing-key.ts';
import type { DaemonOptions } from './daemon-options.ts';
import { sealingKeyPath } from './runtime-files.ts';

type Place = Pick<DaemonOptions, 'keyFile' | 'runtimeDir'>;

/** The operator's key file, which must be there, or that of the runtime directory, which is made. Throws what `SealingKey` throws. */
export function openSealingKey({ keyFile, runtimeDir }: Place): SealingKey {
  return keyFile === undefined ? SealingKey.loadOrCreate(sealingKeyPath(runtimeDir)) : SealingKey.load(keyFile);
}

export function describeSealingKey(key: SealingKey, { keyFile, runtimeDir }: Place): SealingKeyStatus {
  return {
    id: key.id,
    path: keyFile ?? sealingKeyPath(runtimeDir),
    outlivesReboot: keyFile !== undefined,
    keptOutOfSwap: key.lockErrno === 0,
  };
}

/** `awaiting`: Secrets whose content the key does not open. */
export function sealingWarnings(key: SealingKeyStatus, lockErrno: number, awaiting: number): string[] {
  const warnings: string[] = [];
  if (lockErrno !== 0) {
    const symbol =
      Object.entries(constants.errno).find(([, value]) => value === lockErrno)?.[0] ?? `errno ${lockErrno}`;
    warnings.push(
      `the key of Secrets may be swapped out (${symbol}): raise the limit of locked memory (ulimit -l 64, or LimitMEMLOCK=64K in the unit), or encrypt swap`,
    );
  }
  if (awaiting > 0) {
    const what = awaiting === 1 ? '1 Secret is' : `${awaiting} Secrets are`;
    warnings.push(
      `${what} sealed with another key than ${key.id} of ${key.path} and cannot be read: start with the key file it was sealed with, or apply it again (dunnage get secrets shows which)`,
    );
  }
  return warnings;
}
