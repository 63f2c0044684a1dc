/** What a daemon has to take down again, newest part first. */
import type { Log } from '../base/log.ts';

export class Cleanups {
  readonly #log: Log;
  readonly #steps: (() => Promise<void> | void)[] = [];

  constructor(log: Log) {
    this.#log = log;
  }

  add(step: () => Promise<void> | void): void {
    this.#steps.push(step);
  }

  /** Each step once, also if another fails. @throws what the first one that failed threw */
  async run(): Promise<void> {
    const failures: unknown[] = [];
    for (const step of this.#steps.splice(0).reverse()) {
      try {
        await step();
      } catch (error) {
        failures.push(error);
        this.#log.error({ error: String(error) }, 'a part could not be taken down');
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
