/**
 * Plans that are not carried out yet, in the store: written by the FUSE thread before the commit of the swap that they
 * announce, so that a daemon that takes over completes them; read by the main thread, which has the agent carry them out.
 */
import type { ProjectionId } from '../../base/ids.ts';
import { numberKey } from '../../store/codecs.ts';
import type { Store, Table } from '../../store/store.ts';
import { isPlanRecord, LivePlan, type LivePlanRecord } from './live-plan.ts';
import { tolerantJson } from './tolerant-json.ts';

interface AnnouncementRecord {
  readonly directory: string;
  readonly plan: LivePlanRecord;
}

export interface Announcement {
  readonly projection: ProjectionId;
  /** Name of the projection's directory under live/. */
  readonly directory: string;
  readonly plan: LivePlan;
}

function isAnnouncement(value: unknown): boolean {
  const record = value as Partial<AnnouncementRecord> | null;
  return typeof record === 'object' && typeof record?.directory === 'string' && isPlanRecord(record.plan);
}

export class LiveAnnouncements {
  readonly #store: Store;
  readonly #pending: Table<number, AnnouncementRecord | undefined>;

  constructor(store: Store) {
    this.#store = store;
    this.#pending = store.table('live-announcements', numberKey, tolerantJson<AnnouncementRecord>(isAnnouncement));
  }

  /** What is pending as of the newest commit of either thread. */
  newest(projection: ProjectionId): Announcement | undefined {
    this.#store.refresh();
    const record = this.#pending.get(projection);
    return record && { projection, directory: record.directory, plan: new LivePlan(record.plan) };
  }

  all(): Announcement[] {
    this.#store.refresh();
    return [...this.#pending.range({})].flatMap(({ key, value }) =>
      value === undefined
        ? []
        : [{ projection: key as ProjectionId, directory: value.directory, plan: new LivePlan(value.plan) }],
    );
  }

  /** Takes away everything, also what cannot be read. */
  clear(): void {
    this.#store.refresh();
    const keys = [...this.#pending.range({})].map(({ key }) => key);
    if (keys.length === 0) return;
    this.#store.transactBuffered(() => {
      for (const key of keys) this.#pending.remove(key);
    });
  }

  put({ projection, directory, plan }: Announcement): void {
    this.#store.transactBuffered(() => this.#pending.put(projection, { directory, plan: plan.record }));
  }

  remove(projection: ProjectionId): void {
    this.#store.transactBuffered(() => this.#pending.remove(projection));
  }
}
