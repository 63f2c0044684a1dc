/** Which directories of an alloc were sealed, so that all of them are unsealed before they are removed. */
import { DunnageError } from '../errors/dunnage-error.ts';
import { systemCode } from '../native/system-error.ts';
import type { BackingDirectory } from './backing-directory.ts';

const ELSEWHERE: ReadonlySet<string> = new Set(['NOT_FOUND', 'NOT_A_DIRECTORY', 'INVALID_PATH']);

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
      await unsealIfThere(this.#directory, path);
      this.#paths.delete(path);
    }
  }
}

/** A task may have moved the directory away, or put something else, also a link, in its place: then nothing there is sealed. */
export async function unsealIfThere(directory: Pick<BackingDirectory, 'unseal'>, path: string): Promise<void> {
  try {
    await directory.unseal(path);
  } catch (error) {
    if (!isElsewhere(error)) throw error;
  }
}

function isElsewhere(error: unknown): boolean {
  if (!(error instanceof DunnageError)) return false;
  return ELSEWHERE.has(error.code) || systemCode(error.cause) === 'ELOOP';
}
