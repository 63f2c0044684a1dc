/** Which transport serves the tree, and what a daemon says about the one that is not the kernel's. */
import { DunnageError } from '../errors/dunnage-error.ts';
import { missingNativePart } from '../native/load.ts';
import type { DaemonOptions } from './daemon-options.ts';

export type TransportName = 'kernel' | 'fuse-native';

export interface TransportChoice {
  readonly transport: TransportName;
  /** Sentences for the log and the status. */
  readonly warnings: readonly string[];
}

/** What does not hold over fuse-native, in the order in which it may hurt. SEMANTICS.md has it promise by promise. */
const LOSSES: readonly string[] = [
  'transport fuse-native: the tree ends with the daemon; nothing outlives it and nobody takes it over',
  'transport fuse-native: only projections/ is mounted: there is no live/, no allocs/, no audit and no extended attributes',
  'transport fuse-native: every open, and every name after a minute, asks the daemon: slower than the kernel transport',
];
const NO_ADDON = 'without the addon the memory of the daemon is open to other processes of the same user';

/**
 * `auto` takes the kernel transport wherever its native parts are there.
 * @throws DunnageError MISSING_DEPENDENCY if `kernel` was asked for and cannot run here.
 */
export function chooseTransport(
  wanted: DaemonOptions['transport'],
  missing: () => DunnageError | undefined = missingNativePart,
): TransportChoice {
  const problem = missing();
  if (wanted === 'kernel' && problem !== undefined) {
    throw new DunnageError('MISSING_DEPENDENCY', `the kernel transport cannot run here: ${problem.message}`, {
      remedy: `${problem.remedy ?? 'npm run build'} (needs g++, make and python3); or use --transport fuse-native`,
      cause: problem,
    });
  }
  if (wanted === 'kernel' || (wanted === 'auto' && problem === undefined)) return { transport: 'kernel', warnings: [] };
  const warnings = [...LOSSES];
  if (problem !== undefined) warnings.push(NO_ADDON);
  if (wanted === 'auto' && problem !== undefined) {
    const mend = problem.remedy ?? 'npm run build';
    warnings.unshift(`the kernel transport cannot run here: ${problem.message}; ${mend} (needs g++, make and python3)`);
  }
  return { transport: 'fuse-native', warnings };
}
