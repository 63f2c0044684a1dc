/**
 * Work that many ask for at the same time and that can be done for all of them at once: a flush, a look at a table of the kernel.
 *
 * Whoever asks while a run is under way shares the next one with all others who do. So each gets the outcome of a run that began after
 * it had asked.
 */
export class SharedRun<T> {
  readonly #work: () => Promise<T>;
  #running: Promise<T> | undefined;
  #next: Promise<T> | undefined;

  constructor(work: () => Promise<T>) {
    this.#work = work;
  }

  /** Rejects with what that run throws. */
  ask(): Promise<T> {
    if (this.#running === undefined) return this.#start();
    this.#next ??= this.#running.then(
      () => this.#start(),
      () => this.#start(),
    );
    return this.#next;
  }

  #start(): Promise<T> {
    this.#next = undefined;
    const run = this.#work().finally(() => {
      this.#running = undefined;
    });
    this.#running = run;
    return run;
  }
}
