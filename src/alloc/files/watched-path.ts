/**
 * A path that is walked again when the outcome may have changed, and only then: each directory in which a name was looked up on
 * the way is watched for that name.
 */
import { DunnageError } from '../../errors/dunnage-error.ts';
import { IN_DELETE_SELF, IN_MOVE_SELF, IN_Q_OVERFLOW, type Watch } from '../../native/inotify.ts';
import type { AllocAccess } from './alloc-access.ts';
import type { Step, Walked } from './alloc-walk.ts';
import { identityOf } from './open-object.ts';

const OF_THE_DIRECTORY = IN_DELETE_SELF | IN_MOVE_SELF | IN_Q_OVERFLOW;

export class WatchedPath {
  readonly #access: AllocAccess;
  readonly #path: string;
  readonly #onChange: () => void;
  readonly #followLinks: boolean;
  #watches: readonly Watch[] = [];
  #key: string | undefined;
  #isChanged = false;

  /** `onChange` is called after the first `walk`, perhaps several times for one change. */
  constructor(access: AllocAccess, path: string, onChange: () => void, followLinks = true) {
    this.#access = access;
    this.#path = path;
    this.#onChange = onChange;
    this.#followLinks = followLinks;
  }

  /** What the path leads to now; any change from now on is told. The caller closes it. @throws DunnageError like `AllocAccess.walk`. */
  walk(): Walked {
    for (;;) {
      this.#isChanged = false;
      const walked = this.#access.walk(this.#path, { followLinks: this.#followLinks, withSteps: true });
      // The same way as the one that is watched: nothing can have happened between watching and walking.
      if (walked.key === this.#key) return walked;
      try {
        this.#watch(walked);
      } finally {
        walked.close();
      }
    }
  }

  /** Whether the path still leads to that object. Asks nobody as long as nothing on the way has changed. */
  leadsTo(identity: string): boolean {
    if (!this.#isChanged) return true;
    try {
      const walked = this.walk();
      walked.close();
      return walked.found !== undefined && identityOf(walked.found.stats) === identity;
    } catch (error) {
      // Wherever it leads now: not there.
      if (error instanceof DunnageError) return false;
      throw error;
    }
  }

  close(): void {
    for (const watch of this.#watches) watch.close();
    this.#watches = [];
    this.#key = undefined;
  }

  #watch({ steps, key }: Walked): void {
    const before = this.#watches;
    const watches: Watch[] = [];
    // Before the watching is complete the key of the old one does not count either.
    this.#key = undefined;
    this.#watches = watches;
    try {
      for (const step of steps) watches.push(this.#watchStep(step));
      this.#key = key;
    } finally {
      for (const watch of before) watch.close();
    }
  }

  #watchStep({ directory, name }: Step): Watch {
    return this.#access.inotify.watchDirectory(directory.descriptor, (mask, changed) => {
      if (changed !== name && (mask & OF_THE_DIRECTORY) === 0) return;
      this.#isChanged = true;
      this.#onChange();
    });
  }
}
