/** The files of the allocs there are, for the file API: one `AllocFiles` for each alloc, which knows more the longer it lives. */
import { join } from 'node:path';
import type { BackingDirectory } from '../../alloc/backing-directory.ts';
import { AllocFiles } from '../../alloc/files/alloc-files.ts';
import type { AllocRecord } from '../../alloc/service/alloc-records.ts';
import { memoryPlaces } from '../../alloc/task-secrets.ts';
import type { AllocFilesPort, FoundAlloc } from '../../server/alloc-files-port.ts';

export interface AllocFilesIndexOptions {
  readonly directory: Pick<BackingDirectory, 'path' | 'runtimePath'>;
  readonly find: (id: string) => AllocRecord | undefined;
}

export class AllocFilesIndex implements AllocFilesPort {
  readonly #options: AllocFilesIndexOptions;
  readonly #files = new Map<string, AllocFiles>();

  constructor(options: AllocFilesIndexOptions) {
    this.#options = options;
  }

  find(id: string): FoundAlloc | undefined {
    const record = this.#options.find(id);
    if (record === undefined) return undefined;
    const { state, building, spec } = record;
    const isBuilding = new Set(building?.tasks);
    return {
      files: state === 'deleting' || building?.shared === true ? undefined : this.#filesOf(id),
      isStarted: (task) => spec.tasks.some(({ name }) => name === task) && !isBuilding.has(task),
    };
  }

  /** The alloc is gone. Another one of that name has other secrets. */
  forget(id: string): void {
    this.#files.delete(id);
  }

  #filesOf(id: string): AllocFiles {
    const known = this.#files.get(id);
    if (known !== undefined) return known;
    const { directory, find } = this.#options;
    const tasks = (): readonly string[] => (find(id)?.spec.tasks ?? []).map(({ name }) => name);
    const files = new AllocFiles({
      root: join(directory.path, id),
      tasks,
      guarded: () => memoryPlaces(directory, id, tasks()),
    });
    this.#files.set(id, files);
    return files;
  }
}
