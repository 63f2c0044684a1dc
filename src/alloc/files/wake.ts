/** Something to wait for that may happen before anybody waits: it is not lost then. One waits at a time. */
export class Wake {
  #happened = false;
  #resolve: (() => void) | undefined;

  /** For listeners: may be called at any time and any number of times. */
  readonly call = (): void => {
    this.#happened = true;
    this.#resolve?.();
  };

  /** Resolves when it has happened since the last `wait`, when the signal aborts, or after `msMax`. */
  async wait(signal: AbortSignal, msMax?: number): Promise<void> {
    if (!this.#happened && !signal.aborted) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#resolve = resolve;
        if (msMax !== undefined) timer = setTimeout(resolve, msMax);
        signal.addEventListener('abort', this.call, { once: true });
      });
      clearTimeout(timer);
      signal.removeEventListener('abort', this.call);
      this.#resolve = undefined;
    }
    this.#happened = false;
  }
}
