/**
 * The generations of one projection that are in the store, in the order of their ids, which is what references on content are counted along
 * (content-runs.ts). It is of the moment it was read: newer ones come to its end without it, and one that was given up stays in it,
 * without content.
 */
import type { GenerationId, ProjectionId } from '../base/ids.ts';
import type { Content } from './content-runs.ts';

/** Kept by whoever removes many generations, one call after another: so each chain is read once. */
export type GenerationChains = Map<ProjectionId, GenerationChain>;

export class GenerationChain {
  readonly #ids: GenerationId[];
  readonly #contentOf: (id: GenerationId) => Content | undefined;

  constructor(ids: Iterable<GenerationId>, contentOf: (id: GenerationId) => Content | undefined) {
    this.#ids = [...ids].sort((one, other) => one - other);
    this.#contentOf = contentOf;
  }

  has(id: GenerationId): boolean {
    return this.#ids.includes(id);
  }

  /** Whether it says what is behind the generation: newer ones come after something that is still there. */
  continuesBehind(id: GenerationId): boolean {
    return this.has(id) && this.#nearest(id, +1) !== undefined;
  }

  /** Content of the generations beside it that are still there. */
  beside(id: GenerationId): { readonly before: Content | undefined; readonly after: Content | undefined } {
    return { before: this.#nearest(id, -1), after: this.#nearest(id, +1) };
  }

  remove(id: GenerationId): void {
    this.#ids.splice(this.#ids.indexOf(id), 1);
  }

  #nearest(id: GenerationId, step: number): Content | undefined {
    for (let at = this.#ids.indexOf(id) + step; ; at += step) {
      const other = this.#ids[at];
      if (other === undefined) return undefined;
      const content = this.#contentOf(other);
      if (content !== undefined) return content;
    }
  }
}
