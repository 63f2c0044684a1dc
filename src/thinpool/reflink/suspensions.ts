/**
 * Suspended devices. One with a mounted file system is frozen, so that what is in it fits together; writes to one without can
 * only be brought to the pool, not held up: a clone is atomic towards them anyway. No suspension outlives its time or this process.
 */
import type { Log } from '../../base/log.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import { mountPointOf } from '../device-mounts.ts';
import { type Attachments, LOOP_MAJOR } from './attachments.ts';
import type { Freezer, Hold } from './freezer.ts';

export class Suspensions {
  readonly #attachments: Attachments;
  readonly #freezer: Freezer;
  readonly #timeoutMs: number;
  readonly #log: Log;
  /** By id of the device; undefined for one without a file system. */
  readonly #held = new Map<number, Hold | undefined>();

  constructor(attachments: Attachments, freezer: Freezer, timeoutMs: number, log: Log) {
    this.#attachments = attachments;
    this.#freezer = freezer;
    this.#timeoutMs = timeoutMs;
    this.#log = log;
  }

  has(id: number): boolean {
    const hold = this.#held.get(id);
    return hold === undefined ? this.#held.has(id) : hold.isHeld;
  }

  /** @throws DunnageError BUSY if somebody else has frozen its file system */
  async suspend(id: number, loopNumber: number): Promise<void> {
    if (this.has(id)) return;
    const mountPoint = await mountPointOf(LOOP_MAJOR, loopNumber);
    if (mountPoint === undefined) await this.#attachments.flush(loopNumber);
    this.#held.set(id, mountPoint === undefined ? undefined : await this.#freezer.freeze(mountPoint, this.#timeoutMs));
  }

  async resume(id: number): Promise<void> {
    const hold = this.#held.get(id);
    this.#held.delete(id);
    if (hold === undefined || (await hold.release())) return;
    this.#log.warn({ device: id, timeoutMs: this.#timeoutMs }, 'a suspended device had been resumed before its time');
  }

  /**
   * Whether the device is as suspended as it was said to be: to be called when a clone of it is complete.
   * @throws DunnageError TIMED_OUT
   */
  assertHeld(id: number): void {
    if (!this.#held.has(id) || this.has(id)) return;
    throw new DunnageError('TIMED_OUT', `device ${id} could not be kept suspended until its snapshot was complete`, {
      remedy: 'take it again; a snapshot of a large, much divided image takes longer: give it more time',
    });
  }
}
