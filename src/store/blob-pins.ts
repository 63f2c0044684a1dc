/** Which blobs are prepared and neither retained nor abandoned, and which abandoned ones may have left a file. */
import type { Digest } from './digest.ts';

interface Pinned {
  readonly digest: Digest;
}

export class BlobPins {
  readonly #blobs = new Set<Pinned>();
  readonly #counts = new Map<string, number>();
  readonly #abandoned = new Map<string, Digest>();

  get isEmpty(): boolean {
    return this.#blobs.size === 0;
  }

  add(blob: Pinned): void {
    this.#blobs.add(blob);
    const name = blob.digest.toString('hex');
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  has(blob: Pinned): boolean {
    return this.#blobs.has(blob);
  }

  isPinned(digest: Digest): boolean {
    return this.#counts.has(digest.toString('hex'));
  }

  /** Returns whether it was pinned. */
  remove(blob: Pinned): boolean {
    if (!this.#blobs.delete(blob)) return false;
    const name = blob.digest.toString('hex');
    const count = (this.#counts.get(name) ?? 1) - 1;
    if (count === 0) this.#counts.delete(name);
    else this.#counts.set(name, count);
    return true;
  }

  noteAbandoned(digest: Digest): void {
    this.#abandoned.set(digest.toString('hex'), digest);
  }

  takeAbandoned(): readonly Digest[] {
    const digests = [...this.#abandoned.values()];
    this.#abandoned.clear();
    return digests;
  }
}
