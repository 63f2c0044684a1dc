/** Who refers to content: a port of this room. The rooms above answer it from what they keep. */
import type { Protection } from '../blob-records.ts';
import type { Digest } from '../digest.ts';

export interface Reference {
  readonly digest: Digest;
  /** How many files refer to it. */
  count: number;
  /** Length of the plain content, as those files have it. */
  readonly sizeBytes: number;
  readonly protection: Protection;
  /** Some of the files, for people: `web: tls/tls.crt`. */
  readonly files: string[];
}

/** Files named in a finding. */
const FILES_MAX = 3;

export class References {
  readonly #byDigest = new Map<string, Reference>();
  /** False if some of those who refer could not be read: then a count that is too high proves nothing. */
  isComplete = true;

  add(digest: Digest, sizeBytes: number, protection: Protection, file: () => string): void {
    const name = digest.toString('hex');
    let known = this.#byDigest.get(name);
    if (known === undefined) {
      known = { digest, count: 0, sizeBytes, protection, files: [] };
      this.#byDigest.set(name, known);
    }
    known.count += 1;
    if (known.files.length < FILES_MAX) known.files.push(file());
  }

  /** A file by which people know the content best. */
  nameFirst(digest: Digest, file: string): void {
    const files = this.#byDigest.get(digest.toString('hex'))?.files;
    if (files === undefined || files.includes(file)) return;
    files.unshift(file);
    files.length = Math.min(files.length, FILES_MAX);
  }

  get(digest: Digest): Reference | undefined {
    return this.#byDigest.get(digest.toString('hex'));
  }

  all(): IterableIterator<Reference> {
    return this.#byDigest.values();
  }
}

/** How content is called in a finding: by the files that have it, else by its digest. */
export function nameContent(digest: Digest, reference: Reference | undefined): string {
  if (reference === undefined) return `content ${digest.toString('hex').slice(0, 16)}`;
  const more = reference.count - reference.files.length;
  return `${reference.files.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
