/**
 * Where alloc directories are, as a port: AllocDir and TaskDir work on any directory of the host (`PlainDirectory`), and
 * inside the daemon on the directory that `<mount>/allocs` shows.
 *
 * Three places belong to it, besides the files themselves:
 * - `stagingPath`, for what is not finished yet (a restore, a move) or shall vanish at once (a delete);
 * - `runtimePath`, a directory in memory where the tmpfs of `secrets` and of the private directory are mounted;
 * - `mountsPath`, where tasks with unveil isolation are given their directories.
 */
import type { BindOptions, TmpfsOptions } from '../mounts/agent-mounts.ts';
import type { MountRow } from '../mounts/mount-table.ts';

export interface BackingDirectory {
  /** Absolute, without symbolic links: where the files really are, and what is opened. */
  readonly path: string;
  /** Absolute: where containers see them, and what is mounted on. Equal to `path` without a daemon. Never opened by who serves it. */
  readonly visiblePath: string;
  /** Absolute, on the file system of `path`, for root (the owner) only, never visible in the tree. */
  readonly stagingPath: string;
  /** Absolute, on a tmpfs, for root only: `secrets/<alloc>/<task>` and `private/<alloc>/<task>` are mounted beneath it. */
  readonly runtimePath: string;
  /** Absolute: `<alloc>-<task>` beneath it, for unveil isolation. */
  readonly mountsPath: string;
  /** Paths that are never shown inside a task by a chroot map, e.g. the state directory: absolute, without symbolic links. */
  readonly ownPaths: readonly string[];
  /**
   * From now on nobody makes, renames or links anything in this directory through the mount, so that nothing lands on disk when
   * a mount on it is missing. `path`: relative to `this.path`.
   */
  seal(path: string): Promise<void>;
  unseal(path: string): Promise<void>;
  /**
   * Something was made, replaced or removed there beneath the mount: names and content are asked for again. What is mounted on it or in
   * it goes with its name, so nothing may be.
   */
  changed(path: string): Promise<void>;
  /** The mode or owner of something was changed beneath the mount. What is mounted there stays. */
  attributesChanged(path: string): Promise<void>;
  readonly mounts: AllocMounts;
}

/** Mounting, done by a process that may wait for the tree. */
export interface AllocMounts {
  /**
   * A tmpfs with noexec, nodev, nosuid and, where the kernel has it, noswap. If one is mounted there, its size is adapted.
   * @throws DunnageError PERMISSION_DENIED without the right to mount.
   */
  mountTmpfs(target: string, options: TmpfsOptions): Promise<void>;
  /**
   * Shows `source` (a directory or a file) at `target`, which exists. The attributes are set before anybody sees it. Both are absolute. No symbolic
   * link is followed in the target, nor in a source that lies in the tree.
   */
  bind(source: string, target: string, options: BindOptions): Promise<void>;
  /**
   * Takes away what is on top at `target`. With `detach` it is gone at once for who comes by name, and lives on for who uses it.
   * @throws DunnageError BUSY if in use, with whom; INVALID_ARGUMENT if nothing is mounted there.
   */
  unmount(target: string, options?: { readonly detach?: boolean }): Promise<void>;
  /** The mounts at and beneath a path, in mount order. */
  list(beneath: string): Promise<readonly MountRow[]>;
}
