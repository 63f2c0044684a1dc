/** How a daemon ends: once, and told to whoever waits for it. */

/** A promise that is settled from outside. */
export class Ending {
  readonly promise: Promise<void>;
  resolve!: () => void;
  reject!: (error: unknown) => void;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // Who awaits it sees the rejection; a daemon that fails before anybody does must not end the process by itself.
    this.promise.catch(() => undefined);
  }
}

/** The task runs with the first call; later calls wait for the same run. */
export function once(task: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= task();
    return running;
  };
}
