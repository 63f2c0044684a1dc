/**
 * The port of the atomic writer: what its one algorithm needs from the place it writes to. A plain directory
 * (`directory-target.ts`) and a projection of the mount (`mount-target.ts`) stand behind it.
 */
import type { FileProjection, MountFile } from './payload.ts';

/** What is published now. */
export interface Published {
  /** Name of the timestamped directory that `..data` names; undefined if there is none (first write, dangling link). */
  readonly directoryName: string | undefined;
  /** True if content, mode and owner of every file are those of the payload and there is no file besides. */
  readonly unchanged: boolean;
  /**
   * Top-level names that exist now apart from those beginning with `..`. On a plain directory only those that are
   * the writer's own links or stand where one is wanted: whatever else somebody put there is never touched.
   */
  readonly visibleNames: ReadonlySet<string>;
  /** Those among them that are not the link `..data/<name>` they should be, and must be made anew. */
  readonly brokenNames: ReadonlySet<string>;
}

/** What the owner of a target does to a staged directory before anybody can see it. Gets the directory's name. */
export type SetPermissions = (directoryName: string) => void | Promise<void>;

/** `File`: what kinds of content it takes. */
export interface SwapTarget<File extends MountFile = FileProjection> {
  /** Runs one whole write as the only writer of this target in this process; the other methods are called inside. Absent: nothing to hold. */
  exclusively?<T>(task: () => Promise<T>): Promise<T>;
  /** Sweeps what a crash left behind: `..data_tmp`, timestamped directories that `..data` does not name. */
  sweep(): Promise<void>;
  /** With `contentOnly` modes and owners are not compared: they belong to a `SetPermissions` callback. */
  inspect(payload: ReadonlyMap<string, File>, contentOnly?: boolean): Promise<Published>;
  /** Writes the payload, durable but invisible, for a timestamped directory of that name. */
  stage(directoryName: string, payload: ReadonlyMap<string, File>): Promise<void>;
  /** Runs the callback on the staged directory and makes what it changed durable. Absent: modes and owners come from the payload alone. */
  applyPermissions?(directoryName: string, setPermissions: SetPermissions): Promise<void>;
  /** Makes `..data` name the staged directory: `..data_tmp`, then rename. When it resolves the swap is durable and visible. */
  publish(directoryName: string): Promise<void>;
  /** Undoes stage after a failure before or in publish. */
  discard(directoryName: string): Promise<void>;
  /** Makes the missing links `<name>` -> `..data/<name>`, removes the stale ones (a broken name is in both lists: removed first). Called at the end of every write, also with nothing to do. */
  updateLinks(missing: readonly string[], stale: readonly string[]): Promise<void>;
  /** Gives up the replaced directory. */
  drop(directoryName: string): Promise<void>;
}
