/**
 * Looks after the space of a pool in service: tells when it runs short and when it is enough again, and has file systems on its devices
 * give back what they do not use, on schedule and when an overcommitted pool fills up.
 *
 * It looks when the kernel or the write guard tells of something, when it is asked to (`notice`), and otherwise at an interval. A look that
 * fails is told once, and does not end the looking.
 */
import { type Clock, systemClock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { formatBytes } from '../../base/units.ts';
import type { Admission, Admit } from '../create-device.ts';
import type { PoolDriver } from '../driver.ts';
import type { PoolMetadata } from '../pool-metadata.ts';
import { reasonOf } from '../pool-parts.ts';
import { type Overcommit, PoolSpace, type PoolSpaceEvent, type SpaceReport } from './pool-space.ts';
import { levelOf, messageOf, warningsOf } from './space-messages.ts';
import type { trimDevice } from './trim-device.ts';
import { type TrimReport, trimPool } from './trim-pool.ts';

export interface PoolKeeperOptions {
  readonly driver: PoolDriver;
  readonly metadata: PoolMetadata;
  readonly overcommit?: Overcommit;
  /** Undefined: nobody wants that. */
  readonly trimEveryMs?: number;
  readonly log: Log;
  readonly onEvent?: (event: PoolSpaceEvent) => void;
  readonly onTrim?: (report: TrimReport) => void;
  readonly clock?: Clock;
  /** Between two looks that nothing has caused. */
  readonly lookEveryMs?: number;
  readonly trim?: typeof trimDevice;
}

const LOOK_EVERY_MS = 10_000;
/** Events come in crowds. */
const LOOK_GAP_MS = 50;
/** A pool that fills up is trimmed again when so much of what was free then is gone. */
const TRIM_AGAIN_AT = 0.75;

export class PoolKeeper {
  /** For `PoolDeviceOptions.admit`. */
  readonly admit: Admit;
  readonly #options: PoolKeeperOptions;
  readonly #clock: Clock;
  readonly #space: PoolSpace;
  readonly #ending = new AbortController();
  #report: SpaceReport | undefined;
  #problem: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #hasNews = false;
  #trimming: Promise<TrimReport> | undefined;
  /** When it was trimmed last since it fills up. */
  #freeBytesAtTrim: number | undefined;
  #stopWatching: (() => void) | undefined;

  constructor(options: PoolKeeperOptions) {
    const { driver, metadata, overcommit, clock = systemClock } = options;
    this.#options = options;
    this.#clock = clock;
    this.#space = new PoolSpace({
      driver,
      promisedBytes: () => metadata.promisedBytes,
      ...(overcommit === undefined ? {} : { overcommit }),
      onEvent: (event) => this.#hear(event),
    });
    this.admit = async (sizeBytes): Promise<Admission> => await this.#space.admit(sizeBytes);
  }

  /** Of the last look; undefined before the first. */
  get report(): SpaceReport | undefined {
    return this.#report;
  }

  /** What whoever asks for the pool should know now. */
  get warnings(): readonly string[] {
    const problem = this.#problem === undefined ? [] : [`its space cannot be looked at: ${this.#problem}`];
    return [...problem, ...(this.#report === undefined ? [] : warningsOf(this.#report, this.#options.overcommit))];
  }

  /** Begins to look, and has looked once when it resolves. Preconditions: the pool is in service. */
  async start(): Promise<void> {
    this.#stopWatching = await this.#options.driver.watch?.(() => this.notice());
    await this.#lookNow();
    this.#wait();
  }

  /** Something may have changed: looks soon. */
  notice(): void {
    if (this.#ending.signal.aborted) return;
    if (this.#looking !== undefined) {
      this.#hasNews = true;
      return;
    }
    this.#wait(LOOK_GAP_MS);
  }

  /** Looks now. @throws what the driver's `status` throws */
  async look(): Promise<SpaceReport> {
    this.#report = await this.#space.look();
    this.#problem = undefined;
    return this.#report;
  }

  /** Gives back what file systems on the devices do not use. Who comes while that is being done gets the same report. */
  async trim(): Promise<TrimReport> {
    this.#trimming ??= this.#trim().finally(() => {
      this.#trimming = undefined;
      this.notice();
    });
    return await this.#trimming;
  }

  /** Calling it again is fine. Trimming that is under way is not waited for: it is done by another process. */
  async close(): Promise<void> {
    this.#ending.abort();
    clearTimeout(this.#timer);
    this.#stopWatching?.();
    this.#stopWatching = undefined;
    await this.#looking;
  }

  #hear(event: PoolSpaceEvent): void {
    const { log, metadata, onEvent } = this.#options;
    this.#report = event.report;
    const { usedBytes, totalBytes, promisedBytes, promisableBytes } = event.report;
    const fields = { pool: metadata.pool, event: event.kind, usedBytes, totalBytes, promisedBytes, promisableBytes };
    log[levelOf(event.kind)](fields, messageOf(event.kind));
    onEvent?.(event);
    // Who has found it may have asked for something else: a look of our own does what is due then.
    if (event.kind === 'filling') this.notice();
  }

  #wait(durationMs: number = this.#options.lookEveryMs ?? LOOK_EVERY_MS): void {
    clearTimeout(this.#timer);
    if (this.#ending.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#looking = this.#lookNow().finally(() => {
        this.#looking = undefined;
        this.#wait(this.#hasNews ? LOOK_GAP_MS : undefined);
        this.#hasNews = false;
      });
    }, durationMs);
  }

  async #lookNow(): Promise<void> {
    const { log, metadata } = this.#options;
    try {
      this.#trimIfDue(await this.look());
    } catch (error) {
      const reason = reasonOf(error);
      if (reason !== this.#problem) log.error({ pool: metadata.pool, error: reason }, 'a pool cannot be looked at');
      this.#problem = reason;
    }
  }

  #trimIfDue(report: SpaceReport): void {
    const { trimEveryMs, metadata, log, driver } = this.#options;
    const freeBytes = report.totalBytes - report.usedBytes;
    if (!report.isFilling) this.#freeBytesAtTrim = undefined;
    if (trimEveryMs === undefined || this.#trimming !== undefined || this.#ending.signal.aborted) return;
    // What is frozen can be given nothing back. dm-thin lets writers wait and goes on with the rest.
    if (report.areWritersStopped && driver.kind === 'reflink') return;
    const nowMs = this.#clock.nowMs();
    const trimmedAtMs = metadata.trimmedAtMs;
    // A clock that was set back must not put it off for ever.
    const isDue = trimmedAtMs !== undefined && Math.abs(nowMs - trimmedAtMs) >= trimEveryMs;
    const isPressing =
      report.isFilling && (this.#freeBytesAtTrim === undefined || freeBytes < this.#freeBytesAtTrim * TRIM_AGAIN_AT);
    if (trimmedAtMs === undefined) metadata.setTrimmedAtMsBuffered(nowMs);
    if (!isDue && !isPressing) return;
    if (report.isFilling) this.#freeBytesAtTrim = freeBytes;
    this.trim().catch((error: unknown) => {
      log.warn({ pool: metadata.pool, error: reasonOf(error) }, 'a pool could not be trimmed');
    });
  }

  async #trim(): Promise<TrimReport> {
    const { metadata, log, onTrim } = this.#options;
    const startedAtMs = this.#clock.nowMs();
    const report = await trimPool(this.#options, this.#ending.signal);
    if (this.#ending.signal.aborted) return report;
    metadata.setTrimmedAtMsBuffered(startedAtMs);
    const fields = { pool: metadata.pool, devices: report.devices.length, returnedBytes: report.returnedBytes };
    log.info(fields, `file systems on thin devices gave ${formatBytes(report.returnedBytes)} back`);
    onTrim?.(report);
    return report;
  }
}
