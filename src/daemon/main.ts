/** Runs one daemon in this process, from its start to its end. */
import type { Log } from '../base/log.ts';
import { loadNative } from '../native/load.ts';
import { Daemon } from './daemon.ts';
import type { DaemonOptions } from './daemon-options.ts';
import { createLog } from './logging.ts';

export type { DaemonOptions } from './daemon-options.ts';

/**
 * Resolves when the daemon has ended in order. SIGINT ends it and unmounts; SIGTERM ends it and leaves the tree to the
 * holder, so that a restart by a supervisor does not disturb the containers.
 * @throws DunnageError if it cannot start (nothing half-done is left behind) or breaks.
 */
export async function runDaemon(options: DaemonOptions): Promise<void> {
  const log = await createLog(options.logLevel, options.logFormat);
  // The key of secrets and their content are in this process's memory.
  loadNative().forbidCoreDumps();
  const daemon = await Daemon.start(options, log);
  const release = endOnSignals(daemon, log);
  try {
    options.onLive?.();
    await daemon.ended;
  } finally {
    release();
  }
}

function endOnSignals(daemon: Daemon, log: Log): () => void {
  const onSignal = (signal: NodeJS.Signals): void => {
    log.info({ signal }, 'asked to end');
    // The outcome is that of `daemon.ended`.
    daemon.end(signal === 'SIGINT').catch(() => undefined);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return () => {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  };
}
