/** What the reader inside the mount namespace tells the demo: one JSON object per line. Times are `hostMs()`. */

/** Milliseconds on a clock that all processes of the host share, so that the times of two of them can be compared. */
export function hostMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export interface ReaderReport {
  /** Successful reads since the last report. */
  readonly reads: number;
  readonly failures: number;
  /** Why the first of the failures failed; errno only. */
  readonly firstFailure: string | undefined;
  /** Longest time one read took, milliseconds. */
  readonly longestReadMs: number;
}

export type ReaderMessage =
  | { readonly type: 'ready' }
  /** An inotify event of the directory, e.g. `MOVED_TO` of `..data`. */
  | { readonly type: 'event'; readonly atMs: number; readonly event: string; readonly name: string }
  /** A read gave another value than the read before. */
  | { readonly type: 'value'; readonly atMs: number; readonly value: string }
  | ({ readonly type: 'report' } & ReaderReport);

export function encodeMessage(message: ReaderMessage): string {
  return `${JSON.stringify(message)}\n`;
}

export function decodeMessage(line: string): ReaderMessage {
  return JSON.parse(line) as ReaderMessage;
}
