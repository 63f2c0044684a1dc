/** Thin pools as a part of the daemon: the service over the store, with what it says to logs and metrics. */
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Metrics } from '../../base/metrics.ts';
import { loadAddon } from '../../native/load.ts';
import { freezerProgramPath } from '../../native/programs.ts';
import type { Store } from '../../store/store.ts';
import { PoolService } from '../../thinpool/service/pool-service.ts';
import { PoolFigures } from '../../thinpool/space/pool-figures.ts';
import type { DaemonOptions } from '../daemon-options.ts';
import { warningsOf } from './pool-status.ts';

/** The start waits so long at most. */
const RECOVER_MS_MAX = 20_000;
/** And the end. */
const END_MS_MAX = 30_000;

export interface DaemonPoolsOptions {
  readonly options: Pick<DaemonOptions, 'stateDir' | 'runtimeDir'>;
  readonly store: Store;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Called before each record is written. */
  readonly onStep?: ((step: string) => void) | undefined;
}

/** Undefined where there can be none: as an ordinary user, and without the native parts. */
export function startPools(parts: DaemonPoolsOptions): DaemonPools | undefined {
  if (process.getuid?.() !== 0) return undefined;
  try {
    loadAddon();
    freezerProgramPath();
  } catch (error) {
    parts.log.warn({ reason: String(error) }, 'there are no thin pools');
    return undefined;
  }
  return new DaemonPools(parts);
}

export class DaemonPools {
  readonly service: PoolService;
  readonly #log: Log;

  constructor({ options, store, log, metrics, onStep }: DaemonPoolsOptions) {
    const { stateDir, runtimeDir } = options;
    this.#log = log;
    const figures = new PoolFigures(metrics, () => this.service.reports());
    this.service = new PoolService({
      ...{ store, stateDir, runtimeDir, log, onStep, clock: systemClock },
      onSpaceEvent: (pool, { kind }) => figures.count(pool, kind),
      onTrim: (pool, report) => figures.countTrim(pool, report),
    });
  }

  /** Puts every pool into service, each by itself. What takes long goes on in the background. */
  async recover(): Promise<void> {
    const recovered = this.service.recover();
    const isDone = await Promise.race([recovered.then(() => true), delay(RECOVER_MS_MAX, false, { ref: false })]);
    if (isDone) return;
    this.#log.warn({ ms: RECOVER_MS_MAX }, 'some pools take long to be put into service; the start does not wait');
    recovered.catch((error: unknown) => this.#log.error({ error: String(error) }, 'pools could not be recovered'));
  }

  /** Sentences for the status of the daemon. */
  async warnings(): Promise<readonly string[]> {
    const views = await Promise.all(this.service.list().map(({ spec }) => this.service.view(spec.name)));
    return views.flatMap(warningsOf);
  }

  /**
   * Pools and devices stay in service, or with `isDown` those that nobody uses are taken out of it: the next start brings them back.
   */
  async end(isDown: boolean): Promise<void> {
    const ended = isDown ? this.#rest() : this.service.close();
    const isDone = await Promise.race([ended.then(() => true), delay(END_MS_MAX, false, { ref: false })]);
    if (isDone) return;
    this.#log.warn({ ms: END_MS_MAX }, 'work on pools does not come to an end; the next start goes on with it');
    ended.catch(() => undefined);
  }

  async #rest(): Promise<void> {
    const left = await this.service.rest();
    if (left.length > 0) this.#log.warn({ devices: left }, 'thin devices that are in use stay active');
  }
}
