/** The calls by which files of an alloc are looked at from outside: what somebody who stands in for AllocDir must offer. */
import type { Readable, Writable } from 'node:stream';
import type { ChangeEvent } from './files/alloc-files.ts';
import type { FileInfo } from './files/file-info.ts';

export type { ChangeEvent, FileInfo };

export interface Cancellable {
  readonly signal?: AbortSignal;
}

/** Paths are relative to the alloc's directory; a slash in front changes nothing. What leads out of it, or to secrets, is refused. */
export interface AllocDirFS {
  /** Entries of a directory, sorted by name; links as links. */
  list(path: string): Promise<readonly FileInfo[]>;
  /** Of what the path leads to, with its content type. */
  stat(path: string): Promise<FileInfo>;
  /** The content from an offset on, to where its end is then. The stream must be read to its end or destroyed. */
  readAt(path: string, offsetBytes: number): Promise<Readable>;
  /** Writes a tar of `alloc/data` and of the tasks' `local`, and ends the output. */
  snapshot(output: Writable, options?: Cancellable): Promise<void>;
  /** Resolves when something stands at the path, perhaps at once. */
  blockUntilExists(path: string, options?: Cancellable): Promise<void>;
  /** Tells what happens to a file that was read up to `offsetBytes`. Ends after `deleted`, and with the signal. */
  changeEvents(path: string, offsetBytes: number, options?: Cancellable): AsyncIterable<ChangeEvent>;
}
