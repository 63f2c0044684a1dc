/** One operation at a time for each device; those of different devices run side by side. */
import { KeyedMutex } from '../base/mutex.ts';

export class DeviceLocks {
  readonly #mutex: KeyedMutex<string> = new KeyedMutex();

  readonly #running: Set<Promise<unknown>> = new Set();

  /** Resolves when all that runs or waits now has ended. */
  async ended(): Promise<void> {
    await Promise.allSettled(this.#running);
  }

  /** Holds the locks of all these devices, taken in the order of their names, so that no two operations wait for each other. */
  async run<T>(names: readonly string[], task: () => Promise<T>): Promise<T> {
    const result = this.#take([...new Set(names)].sort(), task);
    this.#running.add(result);
    try {
      return await result;
    } finally {
      this.#running.delete(result);
    }
  }

  async #take<T>([first, ...rest]: readonly string[], task: () => Promise<T>): Promise<T> {
    if (first === undefined) return await task();
    return await this.#mutex.run(first, () => this.#take(rest, task));
  }
}
