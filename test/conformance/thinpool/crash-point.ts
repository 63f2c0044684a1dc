/**
 * A process that dies at a chosen point: before or after any step that changes something. What it would do after that is not done,
 * also not the tidying up of its own error handling.
 */

/** Thrown by everything that a dead process tries. */
export class Crash extends Error {
  override readonly name = 'Crash';
}

export class CrashPoint {
  #left: number;
  #hasCrashed = false;

  /** Points are counted: two for each step, before and after it. Infinity never comes. */
  constructor(pointsBefore: number) {
    this.#left = pointsBefore;
  }

  get hasCrashed(): boolean {
    return this.#hasCrashed;
  }

  /** `target` as the process sees it; calls of `steps` are the steps. */
  wrap<T extends object>(target: T, steps: readonly (keyof T)[]): T {
    return new Proxy(target, {
      get: (_, property) => {
        const value = Reflect.get(target, property, target) as unknown;
        if (typeof value !== 'function') return value;
        const call = (...given: unknown[]): unknown => Reflect.apply(value, target, given);
        const isStep = (steps as readonly PropertyKey[]).includes(property);
        return (...given: unknown[]) => (isStep ? this.#step(() => call(...given)) : this.#alive(() => call(...given)));
      },
    });
  }

  #alive(call: () => unknown): unknown {
    if (this.#hasCrashed) throw new Crash('the process is dead');
    return call();
  }

  #step(call: () => unknown): unknown {
    this.#point();
    const result = call();
    if (!(result instanceof Promise)) {
      this.#point();
      return result;
    }
    return result.then((value: unknown) => {
      this.#point();
      return value;
    });
  }

  #point(): void {
    if (!this.#hasCrashed && this.#left === 0) this.#hasCrashed = true;
    if (this.#hasCrashed) throw new Crash('the process dies here');
    this.#left -= 1;
  }
}
