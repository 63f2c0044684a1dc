/** Runs one daemon in this process, from its start to its end. */
import { DunnageError } from '../errors/dunnage-error.ts';
import { loadNative } from '../native/load.ts';
import { Daemon } from './daemon.ts';
import type { DaemonOptions } from './daemon-options.ts';
import { limitHeaps } from './heap-limits.ts';
import { createLog } from './logging.ts';

export type { DaemonOptions } from './daemon-options.ts';

/**
 * Resolves when the daemon has ended in order. SIGINT ends it and unmounts; SIGTERM ends it and leaves the tree to the
 * holder, so that a restart by a supervisor does not disturb the containers. One that comes during the start takes effect
 * when that is over: a start that is cut off would leave the holder, and mounts that nobody serves.
 * @throws DunnageError if it cannot start (nothing half-done is left behind), if the start was INTERRUPTED, or if it breaks.
 */
export async function runDaemon(options: DaemonOptions): Promise<void> {
  const signals = new EndSignals();
  limitHeaps();
  try {
    const log = await createLog(options.logLevel, options.logFormat);
    // The key of secrets and their content are in this process's memory.
    loadNative().forbidCoreDumps();
    const daemon = await Daemon.start(options, log);
    const interrupted = signals.first;
    // The outcome is that of `daemon.ended`.
    signals.onSignal((signal) => {
      log.info({ signal }, 'asked to end');
      daemon.end(signal === 'SIGINT').catch(() => undefined);
    });
    if (interrupted === undefined) options.onLive?.();
    await daemon.ended;
    if (interrupted !== undefined) {
      throw new DunnageError('INTERRUPTED', `the start was interrupted by ${interrupted}`);
    }
  } finally {
    signals.close();
  }
}

/** SIGINT and SIGTERM, from when it is made on. */
class EndSignals {
  #first: NodeJS.Signals | undefined;
  #listener: ((signal: NodeJS.Signals) => void) | undefined;
  readonly #receive = (signal: NodeJS.Signals): void => {
    this.#first ??= signal;
    this.#listener?.(signal);
  };

  constructor() {
    process.on('SIGINT', this.#receive).on('SIGTERM', this.#receive);
  }

  /** The first one that came. */
  get first(): NodeJS.Signals | undefined {
    return this.#first;
  }

  /** Calls back for every one from now on, and at once if one has come already. */
  onSignal(listener: (signal: NodeJS.Signals) => void): void {
    this.#listener = listener;
    if (this.#first !== undefined) listener(this.#first);
  }

  close(): void {
    process.off('SIGINT', this.#receive).off('SIGTERM', this.#receive);
  }
}
