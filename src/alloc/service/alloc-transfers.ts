/** Snapshots and restores that are under way: begun, counted, and broken off when the alloc goes or the daemon ends. */
import type { Writable } from 'node:stream';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { BackingDirectory } from '../backing-directory.ts';
import type { SnapshotReport } from '../snapshot/messages.ts';
import { interruptedRestores, mendRestore, type RestoreReport, restoreAlloc } from '../snapshot/restore-alloc.ts';
import { snapshotAlloc } from '../snapshot/snapshot-alloc.ts';
import type { AllocSpec } from './alloc-spec.ts';

export type { RestoreReport, SnapshotReport };

/** From `begin` to `end` the alloc is busy. */
export interface Transfer {
  /** Ends with the request, with the alloc and with the daemon. */
  readonly signal: AbortSignal;
  end(): void;
}

export class AllocTransfers {
  readonly #directory: BackingDirectory;
  readonly #running = new Map<string, Set<AbortController>>();
  /** Why nothing may begin for an alloc, once for each deletion that waits for its turn. */
  readonly #refused = new Map<string, Set<DunnageError>>();

  constructor(directory: BackingDirectory) {
    this.#directory = directory;
  }

  /** A snapshot of it is being taken. */
  isBusy(id: string): boolean {
    return this.#running.has(id);
  }

  /**
   * Breaks off what is under way for the alloc, because it is deleted, and what begins until the returned function is called: a restore
   * that has the turn before the deletion may not have begun yet.
   */
  breakOff(id: string): () => void {
    const reason = new DunnageError('INTERRUPTED', `the alloc ${id} is being deleted`);
    for (const controller of this.#running.get(id) ?? []) controller.abort(reason);
    const reasons = this.#refused.get(id) ?? new Set();
    this.#refused.set(id, reasons.add(reason));
    return () => {
      reasons.delete(reason);
      if (reasons.size === 0) this.#refused.delete(id);
    };
  }

  close(): void {
    const reason = new DunnageError('INTERRUPTED', 'the daemon is ending', { remedy: 'try again when it runs' });
    for (const controllers of this.#running.values()) for (const controller of controllers) controller.abort(reason);
  }

  /** Precondition: the turn of the alloc is held, so that whoever has it next finds the alloc busy. */
  begin(id: string, signal?: AbortSignal): Transfer {
    const controller = new AbortController();
    const running = this.#running.get(id) ?? new Set();
    this.#running.set(id, running.add(controller));
    for (const reason of this.#refused.get(id) ?? []) controller.abort(reason);
    return {
      signal: signal === undefined ? controller.signal : AbortSignal.any([signal, controller.signal]),
      end: () => {
        running.delete(controller);
        if (running.size === 0) this.#running.delete(id);
      },
    };
  }

  async snapshot(spec: AllocSpec, output: Writable, signal: AbortSignal): Promise<SnapshotReport> {
    return await snapshotAlloc(this.#placeOf(spec), output, signal);
  }

  async restore(spec: AllocSpec, input: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<RestoreReport> {
    return await restoreAlloc(this.#placeOf(spec), input, signal);
  }

  /** Finishes or undoes a restore that died. */
  async mend(spec: AllocSpec): Promise<void> {
    const interrupted = await interruptedRestores(this.#directory);
    if (interrupted.includes(spec.id)) await mendRestore(this.#placeOf(spec));
  }

  #placeOf({ id, tasks }: AllocSpec): { directory: BackingDirectory; id: string; tasks: readonly string[] } {
    return { directory: this.#directory, id, tasks: tasks.map(({ name }) => name) };
  }
}
