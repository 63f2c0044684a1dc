/**
 * Writes to devices of a pool whose writers wait. Whoever opens such a device, or changes it, waits with them: for a killed writer that
 * cannot end, for requests that are not done; and everybody who looks at loop devices waits with him. So devices are touched only while the
 * pool is open, and that for a moment and not too often: others write meanwhile as well, into what is kept free. So a moment is over when they
 * have written their part of that, however fast the disk is.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock, systemClock } from '../../base/clock.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { WriteGuard } from './write-guard.ts';

const MOMENT_MS_MAX = 500;
const LOOK_EVERY_MS = 2;
/** Between two moments of one device. */
const AGAIN_MS = 3000;

type Guard = Pick<WriteGuard, 'isFrozen' | 'hasReserve' | 'momentBytes' | 'freeBytes' | 'whileOpen'>;

export class StuckWrites {
  readonly #guard: Guard | undefined;
  readonly #under: (loopNumber: number) => Promise<boolean>;
  readonly #clock: Clock;
  /** When loop devices had their last moment since writers were stopped. */
  readonly #hadTheirsMs = new Map<number, number>();

  constructor(
    guard: Guard | undefined,
    under: typeof areWritesUnderWay = areWritesUnderWay,
    clock: Clock = systemClock,
  ) {
    this.#guard = guard;
    this.#under = under;
    this.#clock = clock;
  }

  /** Writers were stopped, or go on again. */
  forget(): void {
    this.#hadTheirsMs.clear();
  }

  /** Runs what opens or changes the device. @throws DunnageError BUSY if somebody writes to it and is not done, or it was tried just now */
  async whileDone<T>(loopNumber: number, task: () => Promise<T>): Promise<T> {
    const guard = this.#guard;
    if (guard === undefined) return await task();
    if (guard.isFrozen) {
      // Each moment lets a writer that lives on take more of what is kept free: half of that is for what gives space back.
      const hasReserve = await guard.hasReserve();
      const nowMs = this.#clock.monotonicMs();
      const lastMs = this.#hadTheirsMs.get(loopNumber);
      if (!hasReserve || (lastMs !== undefined && nowMs - lastMs < AGAIN_MS)) throw busy(loopNumber);
      this.#hadTheirsMs.set(loopNumber, nowMs);
    }
    const isStuck = guard.isFrozen && (await this.#under(loopNumber));
    return await guard.whileOpen(async () =>
      guard.isFrozen && isStuck ? await this.#inMoment(loopNumber, guard, task) : await task(),
    );
  }

  /** Tries until the moment is over: a killed writer has the device open still when its last write is done. */
  async #inMoment<T>(loopNumber: number, guard: Guard, task: () => Promise<T>): Promise<T> {
    const endMs = this.#clock.monotonicMs() + MOMENT_MS_MAX;
    const enoughBytes = (await guard.freeBytes()) - guard.momentBytes;
    let failure: unknown = busy(loopNumber);
    while (this.#clock.monotonicMs() < endMs) {
      if (!(await this.#under(loopNumber))) {
        try {
          return await task();
        } catch (error) {
          if (!(error instanceof DunnageError && error.code === 'BUSY')) throw error;
          failure = error;
        }
      }
      if ((await guard.freeBytes()) < enoughBytes) break;
      await sleep(LOOK_EVERY_MS);
    }
    throw failure;
  }
}

function busy(loopNumber: number): DunnageError {
  return new DunnageError('BUSY', `/dev/loop${loopNumber} is in use, and who writes to the pool waits for room`, {
    remedy: 'make room first: remove what nobody uses, or make the pool larger; or try again in a few seconds',
  });
}

/** Requests that the device has not answered: reads and writes. */
async function areWritesUnderWay(loopNumber: number): Promise<boolean> {
  const text = await readFile(`/sys/block/loop${loopNumber}/inflight`, 'utf8').catch(() => '0 0');
  return Number(text.trim().split(/\s+/)[1]) > 0;
}
