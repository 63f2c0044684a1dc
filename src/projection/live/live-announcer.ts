/**
 * Has the agent carry out the plans of swaps and deletions, on the main thread. A write waits for it, so that watchers were
 * told when it returns, but not for ever, and it never fails because of it: what is published is published. Of one projection
 * there is one at a time, in the order of the swaps; what could not be told is told by the next, or given up.
 */
import { constants } from 'node:os';
import type { GenerationId, ProjectionId } from '../../base/ids.ts';
import { limits } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import { KeyedMutex } from '../../base/mutex.ts';
import type { ThroughMount } from '../../vfs/ports.ts';
import type { Announcement, LiveAnnouncements } from './live-announcements.ts';
import type { LiveBatch } from './live-plan.ts';

export interface LiveAnnouncerOptions {
  readonly announcements: Pick<LiveAnnouncements, 'newest' | 'all'>;
  /** Paths are relative to the mount of the root connection. */
  readonly throughMount: ThroughMount;
  readonly log: Log;
  /** What is left of the plan will not be carried out. */
  readonly onGivenUp: (projection: ProjectionId, towards: GenerationId | 0) => void;
}

const { EEXIST, ENOENT, EROFS } = constants.errno;
/** The step is not wanted any more: done by an earlier try, or overtaken by a later swap. */
const DONE_ALREADY: ReadonlySet<number> = new Set([EEXIST, ENOENT, EROFS]);
/** The agent may have died once. */
const TRIES = 2;

export class LiveAnnouncer {
  readonly #options: LiveAnnouncerOptions;
  readonly #mutex = new KeyedMutex<ProjectionId>();

  constructor(options: LiveAnnouncerOptions) {
    this.#options = options;
  }

  /** Resolves when watchers of the projection's live files were told, at once if nobody watches. Never rejects. */
  async announce(projection: ProjectionId): Promise<void> {
    const { announcements, log } = this.#options;
    if (announcements.newest(projection) === undefined) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(resolve, limits.liveAnnouncementMs, 'late');
    });
    const told = this.#mutex.run(projection, () => this.#tell(projection));
    const outcome = await Promise.race([told, late]);
    clearTimeout(timer);
    if (outcome === 'late') {
      log.warn({ projection, ms: limits.liveAnnouncementMs }, 'watchers of live files are told later than they should');
    }
  }

  /** Completes what an earlier daemon left. */
  async recover(): Promise<void> {
    for (const { projection } of this.#options.announcements.all()) await this.announce(projection);
  }

  async #tell(projection: ProjectionId): Promise<void> {
    const { announcements, log, onGivenUp } = this.#options;
    for (let tries = 1; ; tries += 1) {
      const pending = announcements.newest(projection);
      if (pending === undefined) return;
      const { directory, plan } = pending;
      try {
        await this.#carryOut(pending);
      } catch (error) {
        if (tries < TRIES) continue;
        log.error({ directory, error: String(error) }, 'watchers of live files could not be told');
      }
      if (announcements.newest(projection)?.plan.towards === plan.towards) onGivenUp(projection, plan.towards);
      return;
    }
  }

  async #carryOut({ plan, directory }: Announcement): Promise<void> {
    for (const batch of plan.batches(directory)) await this.#run(batch);
  }

  /** Step after step: one that is not wanted any more does not keep the next from being made. */
  async #run({ directory, operations }: LiveBatch): Promise<void> {
    let next = 0;
    while (next < operations.length) {
      const outcomes = await this.#options.throughMount.run(directory, operations.slice(next));
      const errno = outcomes.at(-1) ?? EROFS;
      if (errno !== 0 && !DONE_ALREADY.has(errno)) {
        throw new Error(`errno ${errno} from ${operations[next + outcomes.length - 1]?.kind ?? 'nothing'}`);
      }
      next += Math.max(1, outcomes.length);
    }
  }
}
