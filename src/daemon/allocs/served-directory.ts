/** The directory that `<mount>/allocs` shows, as alloc directories want it: what is changed beneath the mount is told to the kernel. */
import { lstat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { AllocMounts, BackingDirectory } from '../../alloc/backing-directory.ts';
import type { AllocPlaces } from './alloc-places.ts';

/** Of `LoopbackConnection`. */
export interface LoopbackCommands {
  seal(path: string): void | Promise<void>;
  unseal(path: string): void | Promise<void>;
  forget(parent: string, name: string): Promise<void>;
  refresh(path: string): Promise<void>;
}

export interface ServedDirectoryOptions {
  readonly places: Omit<AllocPlaces, 'orphans' | 'memory'>;
  readonly runtimeDir: string;
  /** Never shown in a task by a chroot map. */
  readonly ownPaths: readonly string[];
  readonly loopback: LoopbackCommands;
  readonly mounts: AllocMounts;
}

export class ServedDirectory implements BackingDirectory {
  readonly path: string;
  readonly visiblePath: string;
  readonly stagingPath: string;
  readonly runtimePath: string;
  readonly mountsPath: string;
  readonly ownPaths: readonly string[];
  readonly mounts: AllocMounts;
  readonly #loopback: LoopbackCommands;

  constructor({ places, runtimeDir, ownPaths, loopback, mounts }: ServedDirectoryOptions) {
    this.path = places.tree;
    this.visiblePath = places.visible;
    this.stagingPath = places.staging;
    this.runtimePath = runtimeDir;
    this.mountsPath = places.taskMounts;
    this.ownPaths = ownPaths;
    this.mounts = mounts;
    this.#loopback = loopback;
  }

  async seal(path: string): Promise<void> {
    await this.#loopback.seal(path);
  }

  async unseal(path: string): Promise<void> {
    await this.#loopback.unseal(path);
  }

  async attributesChanged(path: string): Promise<void> {
    await this.#loopback.refresh(path);
  }

  /** The kernel drops the name, and with it every mount on it and below it, in all mount namespaces: only for what was just made, replaced or removed. */
  async changed(path: string): Promise<void> {
    const parent = dirname(path) === '.' ? '' : dirname(path);
    await this.#loopback.forget(parent, basename(path));
    await this.#loopback.refresh(parent);
    if (await exists(join(this.path, path))) await this.#loopback.refresh(path);
  }
}

async function exists(path: string): Promise<boolean> {
  return await lstat(path).then(
    () => true,
    () => false,
  );
}
