/** What the steps of building one task's directory work on. */
import type { BackingDirectory } from './backing-directory.ts';
import type { Existing } from './directories.ts';
import type { Seals } from './seals.ts';

export interface TaskScene {
  readonly directory: BackingDirectory;
  /** Of the alloc. */
  readonly id: string;
  /** Of the task. */
  readonly name: string;
  /** Descriptor of `directory.stagingPath`. */
  readonly staging: number;
  readonly existing: Existing;
  readonly seals: Pick<Seals, 'seal'>;
  readonly signal: AbortSignal | undefined;
}
