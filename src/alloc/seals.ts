/** Which directories of an alloc were sealed, so that all of them are unsealed before they are removed. */
import { DunnageError } from '../errors/dunnage-error.ts';
import type { BackingDirectory } from './backing-directory.ts';

export class Seals {
  readonly #directory: Pick<BackingDirectory, 'seal' | 'unseal'>;
  readonly #paths = new Set<string>();

  constructor(directory: Pick<BackingDirectory, 'seal' | 'unseal'>) {
    this.#directory = directory;
  }

  /** `path`: beneath the backing directory. */
  async seal(path: string): Promise<void> {
    this.#paths.add(path);
    await this.#directory.seal(path);
  }

  /** It may have been sealed by somebody else. One outside of the backing directory was not. */
  note(path: string): void {
    if (path !== '' && !path.startsWith('..') && !path.startsWith('/')) this.#paths.add(path);
  }

  async breakAll(): Promise<void> {
    for (const path of this.#paths) {
      try {
        await this.#directory.unseal(path);
      } catch (error) {
        // It is no directory, or gone: then nothing there can be sealed.
        const code = error instanceof DunnageError ? error.code : undefined;
        if (code !== 'NOT_FOUND' && code !== 'NOT_A_DIRECTORY' && code !== 'INVALID_PATH') throw error;
      }
      this.#paths.delete(path);
    }
  }
}
