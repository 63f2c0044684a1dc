/** Swaps one projection again and again, and looks at what must not grow by it. */
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import type { DaemonProcess } from './daemon-process.ts';
import { openDescriptors, residentBytes } from './resident-memory.ts';

export interface Footprint {
  /** Of daemon, agent and holder. */
  readonly residentBytes: number;
  readonly storeBytes: number;
  readonly blobs: number;
  /** Published, kept and held ones. */
  readonly generations: number;
  readonly descriptors: number;
}

const FILES = 10;
const FILE_BYTES = 512;
/** Longer than the grace period of replaced generations, their removal, and a scrape of metrics. */
const SETTLE_MS_MAX = 30_000;

export class SwapLoad {
  readonly #daemon: DaemonProcess;
  readonly #name: string;
  #swaps = 0;

  constructor(daemon: DaemonProcess, name: string) {
    this.#daemon = daemon;
    this.#name = name;
  }

  /** One file of ten changes each time. */
  async swap(): Promise<void> {
    this.#swaps += 1;
    const files = new Map(
      Array.from({ length: FILES }, (_, file) => {
        const content = `${this.#name} ${file} ${file === 0 ? this.#swaps : 0};`;
        return [`file-${file}`, { data: Buffer.alloc(FILE_BYTES, content), mode: 0o644 }] as const;
      }),
    );
    const { action } = await this.#daemon.client.writeProjection(this.#name, files);
    if (action === 'unchanged') throw new Error('nothing was swapped');
  }

  /** Waits until no more generations are there than are kept, then looks. */
  async footprint(generationsMax: number): Promise<Footprint> {
    const deadlineMs = performance.now() + SETTLE_MS_MAX;
    for (;;) {
      const footprint = await this.#look();
      if (footprint.generations <= generationsMax) return footprint;
      if (performance.now() > deadlineMs) {
        throw new DunnageError('TIMED_OUT', `${footprint.generations} generations are still there`);
      }
      await new Promise(setImmediate);
    }
  }

  async #look(): Promise<Footprint> {
    const { client } = this.#daemon;
    const { pid, holderPid = pid } = await client.status();
    const figures = await client.metrics();
    const figure = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(figures)?.[1]);
    return {
      residentBytes: residentBytes(pid) + (holderPid === pid ? 0 : residentBytes(holderPid)),
      storeBytes: figure('dunnage_store_bytes'),
      blobs: figure('dunnage_blobs'),
      generations: figure('dunnage_generations'),
      descriptors: openDescriptors(pid),
    };
  }
}
