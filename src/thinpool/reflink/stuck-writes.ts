/**
 * Writes to devices of a pool whose writers wait. Whoever opens such a device, or changes it, waits with them: for a killed writer that
 * cannot end, for requests that are not done. So they are given a moment, once in each stop, before the device is touched.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { WriteGuard } from './write-guard.ts';

/** Others write meanwhile as well, into what is kept free. */
const MOMENT_MS = 50;
const LOOK_EVERY_MS = 1;

export class StuckWrites {
  readonly #guard: Pick<WriteGuard, 'isFrozen' | 'whileOpen'> | undefined;
  readonly #under: (loopNumber: number) => Promise<boolean>;
  /** Loop devices whose writes had their moment since writers were stopped. */
  readonly #hadTheirs = new Set<number>();

  constructor(
    guard: Pick<WriteGuard, 'isFrozen' | 'whileOpen'> | undefined,
    under: typeof areWritesUnderWay = areWritesUnderWay,
  ) {
    this.#guard = guard;
    this.#under = under;
  }

  /** Writers were stopped, or go on again. */
  forget(): void {
    this.#hadTheirs.clear();
  }

  /** @throws DunnageError BUSY if somebody writes to the device and is not done: it must not be touched */
  async end(loopNumber: number): Promise<void> {
    if (this.#guard?.isFrozen !== true || !(await this.#under(loopNumber))) return;
    if (!this.#hadTheirs.has(loopNumber)) {
      this.#hadTheirs.add(loopNumber);
      await this.#guard.whileOpen(() => this.#wait(loopNumber));
      if (!(await this.#under(loopNumber))) return;
    }
    throw new DunnageError('BUSY', `somebody writes to /dev/loop${loopNumber} and waits until the pool has room`, {
      remedy: 'make room first: remove what nobody uses, or make the pool larger',
    });
  }

  async #wait(loopNumber: number): Promise<void> {
    for (let passedMs = 0; passedMs < MOMENT_MS; passedMs += LOOK_EVERY_MS) {
      if (!(await this.#under(loopNumber))) return;
      await sleep(LOOK_EVERY_MS);
    }
  }
}

/** Requests that the device has not answered: reads and writes. */
async function areWritesUnderWay(loopNumber: number): Promise<boolean> {
  const text = await readFile(`/sys/block/loop${loopNumber}/inflight`, 'utf8').catch(() => '0 0');
  return Number(text.trim().split(/\s+/)[1]) > 0;
}
