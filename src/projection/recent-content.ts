/**
 * Copies of what was written last to large projections. To know which of a thousand files has changed, their bytes are
 * compared with these: that takes a tenth of the time that it takes to hash them. What is not here is hashed.
 *
 * Never holds content of Secrets. Bounded: the projections written longest ago are forgotten first.
 */
import type { ProjectionId } from '../base/ids.ts';
import { limits } from '../base/limits.ts';
import type { Digest } from '../store/digest.ts';

export interface RecentFile {
  readonly data: Uint8Array;
  readonly digest: Digest;
}

interface Entry {
  readonly files: ReadonlyMap<string, RecentFile>;
  readonly sizeBytes: number;
}

export class RecentContent {
  readonly #sizeBytesMax: number;
  /** Written longest ago first. */
  readonly #entries = new Map<ProjectionId, Entry>();
  #sizeBytes = 0;

  constructor(sizeBytesMax: number = limits.recentContentBytesMax) {
    this.#sizeBytesMax = sizeBytesMax;
  }

  /** The plain digest of the data, if it is what was written to that path last. */
  digestOf(projection: ProjectionId, path: string, data: Uint8Array): Digest | undefined {
    const known = this.#entries.get(projection)?.files.get(path);
    return known !== undefined && known.data.length === data.length && Buffer.compare(known.data, data) === 0
      ? known.digest
      : undefined;
  }

  /** Replaces what is known of a projection with a copy of these files. Small projections are not worth it. */
  remember(projection: ProjectionId, files: ReadonlyMap<string, RecentFile>): void {
    const before = this.#entries.get(projection);
    this.forget(projection);
    let sizeBytes = 0;
    for (const { data } of files.values()) sizeBytes += data.length;
    if (sizeBytes < limits.recentContentBytesMin || sizeBytes > this.#sizeBytesMax) return;
    const copies = new Map<string, RecentFile>();
    for (const [path, { data, digest }] of files) {
      const known = before?.files.get(path);
      // Equal digests, equal bytes: the copy is there already.
      const isKnown = known !== undefined && (known.digest === digest || known.digest.equals(digest));
      copies.set(path, isKnown ? known : { data: Uint8Array.from(data), digest });
    }
    this.#entries.set(projection, { files: copies, sizeBytes });
    this.#sizeBytes += sizeBytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#sizeBytes <= this.#sizeBytesMax) break;
      this.forget(oldest);
    }
  }

  forget(projection: ProjectionId): void {
    this.#sizeBytes -= this.#entries.get(projection)?.sizeBytes ?? 0;
    this.#entries.delete(projection);
  }
}
