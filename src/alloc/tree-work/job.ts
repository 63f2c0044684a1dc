/** What is said between the thread that works on trees and who wants it done. */
import type { ErrorCode } from '../../errors/table.ts';

export type TreeJob =
  | { readonly kind: 'remove'; readonly trees: readonly TreePlace[] }
  /** `source`: an open directory of this process, which stays open meanwhile. `target`: absolute path of a directory that exists. */
  | { readonly kind: 'copy'; readonly source: number; readonly target: string };

export interface TreePlace {
  /** Absolute path; one that is missing has nothing in it. */
  readonly directory: string;
  /** Bytes, one per character. */
  readonly name: string;
}

export interface TreeProgress {
  readonly kind: 'progress';
  /** Since the last message. */
  readonly doneBytes: number;
}

export type TreeEnd =
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string; readonly remedy?: string };
