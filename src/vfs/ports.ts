/** What the rooms above need from the kernel side, as interfaces: recording stubs stand behind them in tests. */
import type { NodeId } from '../base/ids.ts';

/**
 * Tells the kernel to forget what it cached. Calls only queue the notification; a thread that never serves requests
 * writes it, because the kernel may wait for a directory lock whose holder waits for this daemon.
 */
export interface KernelCache {
  /** Drops the name (also a negative entry) and the cached listing of `parent`. */
  invalidateEntry(parent: NodeId, name: string): void;
  /** Drops cached attributes and content of the node. */
  invalidateNode(nodeId: NodeId): void;
}

/** One system call to be made through the mount, relative to the directory of its batch. */
export type MountOperation =
  | { readonly kind: 'mkdir'; readonly name: string; readonly mode: number }
  | { readonly kind: 'symlink'; readonly name: string; readonly target: string }
  | { readonly kind: 'rename'; readonly name: string; readonly newName: string }
  | { readonly kind: 'unlink'; readonly name: string }
  | { readonly kind: 'rmdir'; readonly name: string }
  /** A regular file. */
  | { readonly kind: 'mknod'; readonly name: string; readonly mode: number }
  /** Opens the file for writing, writes one byte and closes: tells watchers that its content changed. */
  | { readonly kind: 'modify'; readonly name: string }
  | { readonly kind: 'chmod'; readonly name: string; readonly mode: number };

/**
 * Makes real system calls through the mount, so that watchers see them. They are made by a separate process that
 * does not hold /dev/fuse; never by a thread that serves requests.
 */
export interface ThroughMount {
  /**
   * Runs the operations in order in `directory` (a path relative to the mount it is for, '' for the mount
   * itself, resolved beneath it without following links) and stops at the first that fails.
   * Resolves to the outcome of every operation that was tried: 0 or a positive errno; the last is the failed one, if any.
   */
  run(directory: string, operations: readonly MountOperation[]): Promise<readonly number[]>;
}
