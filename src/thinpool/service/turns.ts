/**
 * Turns at a pool. Work on its devices shares it; what changes the pool as a whole has it alone. First come, first served: work that comes
 * after somebody who wants it alone waits for him.
 */
export class PoolTurns {
  readonly #pools = new Map<string, Turns>();

  async shared<T>(pool: string, task: () => Promise<T>): Promise<T> {
    return await this.#at(pool, (turns) => turns.shared(task));
  }

  /** The same, unless somebody has the pool alone or waits for that: then undefined, at once. For whoever only looks. */
  async sharedNow<T>(pool: string, task: () => Promise<T>): Promise<T | undefined> {
    return await this.#at(pool, async (turns) => (turns.isAsked ? undefined : await turns.shared(task)));
  }

  async alone<T>(pool: string, task: () => Promise<T>): Promise<T> {
    return await this.#at(pool, (turns) => turns.alone(task));
  }

  /** Resolves when all that runs or waits now has ended. */
  async ended(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((turns) => turns.alone(async () => undefined)));
  }

  /** Nothing is kept of pools that nobody works at. */
  async #at<T>(pool: string, work: (turns: Turns) => Promise<T>): Promise<T> {
    const turns = this.#pools.get(pool) ?? new Turns();
    this.#pools.set(pool, turns);
    turns.userCount += 1;
    try {
      return await work(turns);
    } finally {
      turns.userCount -= 1;
      if (turns.userCount === 0) this.#pools.delete(pool);
    }
  }
}

class Turns {
  /** Those who run or wait. */
  userCount = 0;
  /** Resolves when the last who wants it alone has had it. */
  #alone: Promise<unknown> = Promise.resolve();
  /** Those that came after him. */
  #sharing = new Set<Promise<unknown>>();
  #aloneCount = 0;

  /** Somebody has it alone, or wants to. */
  get isAsked(): boolean {
    return this.#aloneCount > 0;
  }

  async shared<T>(task: () => Promise<T>): Promise<T> {
    const sharing = this.#sharing;
    const result = this.#alone.then(task);
    const ended = result.catch(() => undefined);
    sharing.add(ended);
    try {
      return await result;
    } finally {
      sharing.delete(ended);
    }
  }

  async alone<T>(task: () => Promise<T>): Promise<T> {
    const before = [this.#alone, ...this.#sharing];
    const result = Promise.all(before).then(task);
    this.#alone = result.catch(() => undefined);
    this.#sharing = new Set();
    this.#aloneCount += 1;
    try {
      return await result;
    } finally {
      this.#aloneCount -= 1;
    }
  }
}
