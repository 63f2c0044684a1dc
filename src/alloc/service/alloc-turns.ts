/**
 * Work on allocs: for each alloc in its turn, for different ones side by side. Turns of several allocs are taken in the order of their ids, so
 * that nobody waits for somebody who waits for him.
 */
import { KeyedMutex } from '../../base/mutex.ts';

export class AllocTurns {
  readonly #turns = new KeyedMutex<string>();
  /** What is under way, or waits for its turn. */
  readonly #work = new Set<Promise<unknown>>();

  /** Runs the task while nobody else works on these allocs. */
  async run<T>(ids: readonly string[], task: () => Promise<T>): Promise<T> {
    const next = (rest: readonly string[]): Promise<T> => {
      const [first, ...others] = rest;
      return first === undefined ? task() : this.#turns.run(first, () => next(others));
    };
    const work = next([...new Set(ids)].sort());
    this.#work.add(work);
    try {
      return await work;
    } finally {
      this.#work.delete(work);
    }
  }

  /** Resolves when nothing is under way and nothing waits. */
  async settled(): Promise<void> {
    while (this.#work.size > 0) await Promise.allSettled(this.#work);
  }
}
