/**
 * The end of a replaced generation. Its directory is listed no more from the commit of the swap on, but stays reachable
 * by name for a grace period, for readers that had resolved `..data` just before. Then the kernel is told to drop the name,
 * which is answered no more: a name looked up again after the last FORGET would lead to content that is going away. When
 * the kernel has forgotten every node of the generation, the content may go.
 *
 *   dropped --grace--> draining --last FORGET--> forgotten
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
  /** The kernel holds nothing of the generation any more. Called at most once for each. */
  readonly onForgotten: (id: GenerationId) => void;
}

export class GenerationDrain {
  readonly #options: DrainOptions;
  /** Drained, and told to `onForgotten`; kept until the store has forgotten them too. */
  readonly #forgotten = new Set<GenerationId>();
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(options: DrainOptions) {
    this.#options = options;
  }

  /** The generation was replaced, or its projection deleted. */
  drop(id: GenerationId): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.drain(id);
    }, this.#options.graceMs);
    timer.unref();
    this.#timers.add(timer);
  }

  /** Ends the grace period now. */
  drain(id: GenerationId): void {
    const { catalog, overlay, kernelCache } = this.#options;
    catalog.refresh();
    this.#tidy();
    const record = catalog.generation(id);
    if (record === undefined || overlay.drained.has(id)) return;
    overlay.drained.add(id);
    kernelCache.invalidateEntry(record.projection as number as NodeId, record.directory);
    this.check(id);
  }

  /** To be called when the lookup count of a generation has become zero. */
  check(id: GenerationId): void {
    const { overlay, lookups, onForgotten } = this.#options;
    if (!overlay.drained.has(id) || this.#forgotten.has(id) || lookups.count(id) > 0) return;
    this.#forgotten.add(id);
    onForgotten(id);
  }

  #tidy(): void {
    for (const id of this.#forgotten) {
      if (this.#options.catalog.generation(id) !== undefined) continue;
      this.#forgotten.delete(id);
      this.#options.overlay.drained.delete(id);
    }
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}
