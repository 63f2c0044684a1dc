/**
 * Keeps the pool's number of the last change in step with that of the metadata.
 *
 * The metadata have the number first, durably, and then the change is made; so the pool's number is never ahead of theirs. If a
 * start finds it ahead, the metadata are older than the pool: a backup, say. Changes that end at the same time share one write.
 */
import type { PoolDriver } from './driver.ts';

export class TransactionClock {
  readonly #driver: Pick<PoolDriver, 'setTransaction'>;
  #written: number;
  #wanted: number;
  #writing: Promise<void> | undefined;

  constructor(driver: Pick<PoolDriver, 'setTransaction'>, transaction: number) {
    this.#driver = driver;
    this.#written = transaction;
    this.#wanted = transaction;
  }

  /** Resolves when the pool has this number or a later one. Throws what the driver throws. */
  async advance(transaction: number): Promise<void> {
    this.#wanted = Math.max(this.#wanted, transaction);
    while (this.#written < transaction) {
      this.#writing ??= this.#write();
      await this.#writing;
    }
  }

  async #write(): Promise<void> {
    const transaction = this.#wanted;
    try {
      await this.#driver.setTransaction(transaction);
      this.#written = transaction;
    } finally {
      this.#writing = undefined;
    }
  }
}
