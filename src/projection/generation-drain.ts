/**
 * The end of a replaced generation. Its directory is listed no more from the commit of the swap on, but stays reachable
 * by name for a grace period, for readers that had resolved `..data` just before. Then the kernel is told to drop the name,
 * which is answered no more: a name looked up again after the last FORGET would lead to content that is going away.
 * The content stays as long as the history keeps the generation, and after that until the kernel has forgotten every node.
 *
 *   replaced --grace--> nameless --out of the history, last FORGET--> forgotten
 */
import type { GenerationId, NodeId } from '../base/ids.ts';
import type { KernelCache } from '../vfs/ports.ts';
import type { Catalog } from './catalog.ts';
import type { LookupTable } from './lookup-table.ts';
import type { SwapOverlay } from './swap-overlay.ts';

export interface DrainOptions {
  readonly catalog: Catalog;
  readonly lookups: LookupTable;
  readonly overlay: SwapOverlay;
  readonly kernelCache: KernelCache;
  readonly graceMs: number;
  /** The kernel holds nothing of a dropped generation any more. Called at most once for each. */
  readonly onForgotten: (id: GenerationId) => void;
}

/** At each end of a grace period: more than one, so that what is kept becomes less, and few, because a swap may be waiting. */
const TIDY_LOOKS = 2;

export class GenerationDrain {
  readonly #options: DrainOptions;
  /** Told to `onForgotten`; kept until the store has forgotten them too. */
  readonly #forgotten = new Set<GenerationId>();
  readonly #timers = new Map<GenerationId, NodeJS.Timeout>();

  constructor(options: DrainOptions) {
    this.#options = options;
  }

  /** The generation was replaced, or its projection deleted: its name is good for the grace period. */
  replace(id: GenerationId): void {
    this.#options.overlay.lingering.add(id);
    clearTimeout(this.#timers.get(id));
    const timer = setTimeout(() => this.drain(id), this.#options.graceMs);
    timer.unref();
    this.#timers.set(id, timer);
  }

  /** Ends the grace period now. */
  drain(id: GenerationId): void {
    const { catalog, overlay, kernelCache } = this.#options;
    catalog.refresh();
    this.#tidy();
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    overlay.lingering.delete(id);
    const record = catalog.generation(id);
    if (record === undefined || this.#forgotten.has(id)) return;
    kernelCache.invalidateEntry(record.projection as number as NodeId, record.directory);
    if (this.#isBeingDropped(id, record.projection)) this.replace(id);
    else this.check(id);
  }

  /** To be called when the lookup count of a generation has become zero, and when it was dropped from the history. */
  check(id: GenerationId): void {
    const { catalog, overlay, lookups, onForgotten } = this.#options;
    if (overlay.lingering.has(id) || this.#forgotten.has(id) || lookups.count(id) > 0 || !catalog.isDropped(id)) return;
    this.#forgotten.add(id);
    onForgotten(id);
  }

  /** A deletion drops its generations at its end: to be looked at again then. */
  #isBeingDropped(id: GenerationId, projection: Parameters<Catalog['projection']>[0]): boolean {
    const { catalog } = this.#options;
    return catalog.projection(projection)?.state === 'deleting' && !catalog.isDropped(id);
  }

  /** The oldest first; one that the store still has comes again behind the others. */
  #tidy(): void {
    let looks = TIDY_LOOKS;
    for (const id of this.#forgotten) {
      if (looks === 0) return;
      looks -= 1;
      this.#forgotten.delete(id);
      if (this.#options.catalog.generation(id) !== undefined) this.#forgotten.add(id);
    }
  }

  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
