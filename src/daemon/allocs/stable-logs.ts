/** Stable names of the newest logs (`alloc/logs/<task>.stdout`), kept for each alloc that is ready. */
import { join } from 'node:path';
import type { BackingDirectory } from '../../alloc/backing-directory.ts';
import { StableLogNames } from '../../alloc/files/stable-log-names.ts';
import type { AllocSpec } from '../../alloc/service/alloc-spec.ts';
import type { Log } from '../../base/log.ts';

export class StableLogs {
  readonly #directory: Pick<BackingDirectory, 'path' | 'changed'>;
  readonly #log: Log;
  readonly #kept = new Map<string, StableLogNames>();

  constructor(directory: Pick<BackingDirectory, 'path' | 'changed'>, log: Log) {
    this.#directory = directory;
    this.#log = log;
  }

  /** Resolves when the links are there. */
  async start({ id, tasks }: AllocSpec): Promise<void> {
    await this.stop(id);
    const names = tasks.map(({ name }) => name);
    const kept = new StableLogNames({
      root: join(this.#directory.path, id),
      tasks: () => names,
      changed: (path) => this.#directory.changed(join(id, path)),
      log: this.#log,
    });
    this.#kept.set(id, kept);
    await kept.start();
  }

  /** Nothing of the alloc is open when it resolves. */
  async stop(id: string): Promise<void> {
    const kept = this.#kept.get(id);
    this.#kept.delete(id);
    await kept?.close();
  }
}
