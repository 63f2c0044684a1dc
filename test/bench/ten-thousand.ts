/**
 * A state directory with 10,000 projections of 10 files each, filled once for all figures that need it: by a daemon in a
 * process of its own, through its control API, as a host fills up.
 */
import { rmSync } from 'node:fs';
import { DaemonProcess } from '../tools/daemon-process.ts';

export const PROJECTIONS = 10_000;
const FILES = 10;
/** As long as a setting, a host list or a key in a ConfigMap is. */
const FILE_BYTES = 256;
/** Writes on their way at the same time. */
const LANES = 48;

export interface WantedFile {
  readonly data: Uint8Array;
  readonly mode: number;
}

export const projectionName = (index: number): string => `app-${String(index).padStart(5, '0')}`;

/** No two projections share content. Of two versions one file differs, as when one setting is changed. */
export function tenFiles(name: string, version = 0): Map<string, WantedFile> {
  return new Map(
    Array.from({ length: FILES }, (_, file) => {
      const content = `${name}, file ${file}, version ${file === 0 ? version : 0};`;
      return [`setting-${file}.conf`, { data: Buffer.alloc(FILE_BYTES, content), mode: 0o644 }] as const;
    }),
  );
}

export class TenThousand {
  readonly daemon: DaemonProcess;
  #isRunning = true;

  private constructor(daemon: DaemonProcess) {
    this.daemon = daemon;
  }

  /** Resolves when its daemon, which still runs, has written everything. */
  static async fill(parent: string): Promise<TenThousand> {
    const daemon = await DaemonProcess.start(parent);
    const names = Array.from({ length: PROJECTIONS }, (_, index) => projectionName(index)).values();
    const lane = async (): Promise<void> => {
      for (const name of names) await daemon.client.writeProjection(name, tenFiles(name));
    };
    try {
      await Promise.all(Array.from({ length: LANES }, lane));
    } catch (error) {
      await daemon.stop();
      throw error;
    }
    return new TenThousand(daemon);
  }

  /** Whether the daemon that has written everything still runs. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  get stateDir(): string {
    return this.daemon.stateDir;
  }

  /** Ends the daemon; from then on the state directory is free for another. */
  async release(): Promise<void> {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    await this.daemon.dunnage('down');
  }

  async close(): Promise<void> {
    await this.release();
    rmSync(this.daemon.folder, { recursive: true, force: true });
  }
}
