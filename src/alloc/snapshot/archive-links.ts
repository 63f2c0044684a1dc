/**
 * The symbolic links of an archive, to find those that lead outside although none of them does by its own text: `a/b/l -> ..` and then
 * `a/b/m -> l/../..`. Followed as the kernel would, without looking at any file.
 */
import type { ByteText } from '../../base/byte-text.ts';

/** As many as the kernel follows: beyond that a link leads nowhere. */
const LINKS_MAX = 40;

export class ArchiveLinks {
  readonly #texts = new Map<string, ByteText>();

  set(place: ByteText, text: ByteText): void {
    this.#texts.set(place, text);
  }

  delete(place: ByteText): void {
    this.#texts.delete(place);
  }

  /** The text of the link at that place; undefined if there is none. */
  get(place: ByteText): ByteText | undefined {
    return this.#texts.get(place);
  }

  /** The first link that leads outside. */
  firstEscaping(): ByteText | undefined {
    for (const place of this.#texts.keys()) if (this.#escapes(place)) return place as ByteText;
    return undefined;
  }

  #escapes(place: string): boolean {
    const passed: string[] = [];
    const ahead = place.split('/').reverse();
    let followed = 0;
    for (let name = ahead.pop(); name !== undefined; name = ahead.pop()) {
      if (name === '' || name === '.') continue;
      if (name === '..') {
        if (passed.pop() === undefined) return true;
        continue;
      }
      passed.push(name);
      const text = this.#texts.get(passed.join('/'));
      if (text === undefined) continue;
      followed += 1;
      if (followed > LINKS_MAX) return false;
      if (text.startsWith('/')) return true;
      passed.pop();
      ahead.push(...text.split('/').reverse());
    }
    return false;
  }
}
