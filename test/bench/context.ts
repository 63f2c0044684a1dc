/** What benchmarks share: one daemon on a real disk, a folder on the same file system for the baselines, the probe. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { silentLog } from '../../src/base/log.ts';
import { Daemon } from '../../src/daemon/daemon.ts';
import type { ControlOperations } from '../../src/server/operations.ts';
import { compileProgram } from '../tools/compile-program.ts';
import { DaemonProcess } from '../tools/daemon-process.ts';
import { type AllocSide, startAllocSide } from './alloc-side.ts';
import { TenThousand } from './ten-thousand.ts';

const run = promisify(execFile);

/** What the probe can do again and again. */
export type Loop = 'read' | 'stat' | 'list';
/** A daemon in this process. This process must not touch its mount. */
export interface OwnDaemon {
  readonly daemon: Daemon;
  readonly mountPoint: string;
  /** Unmounts it and removes its folder. */
  end(): Promise<void>;
}

export class BenchContext {
  /** Folder on the disk that is measured; everything lies in folders of their own there. */
  readonly parent: string;
  readonly probe: string;
  /** For the baselines: a plain folder beside the daemon's state. */
  readonly plainFolder: string;
  #daemon: DaemonProcess | undefined;
  #own: OwnDaemon | undefined;
  #tenThousand: TenThousand | undefined;
  #allocSide: AllocSide | string | undefined;

  constructor(parent: string) {
    this.parent = parent;
    this.probe = compileProgram('test/bench/native/probe.cc', 'bench-probe');
    this.plainFolder = mkdtempSync(join(parent, 'db-'));
  }

  /** The daemon that all benchmarks share, started at the first use. */
  async daemon(): Promise<DaemonProcess> {
    this.#daemon ??= await DaemonProcess.start(this.parent);
    return this.#daemon;
  }

  /**
   * A daemon in this process, so that a write is a call on our side as it is on the baseline's. Shared; the watchers are
   * processes of their own.
   */
  async ownDaemon(): Promise<OwnDaemon> {
    this.#own ??= await this.startDaemon();
    return this.#own;
  }

  /** One more daemon in this process, with the given state or an empty one. The caller ends it. */
  async startDaemon(stateDir?: string): Promise<OwnDaemon> {
    const folder = mkdtempSync(join(this.parent, 'do-'));
    const runtimeDir = join(folder, 'run');
    const mountPoint = join(runtimeDir, 'mnt');
    const daemon = await Daemon.start(
      {
        stateDir: stateDir ?? join(folder, 'state'),
        runtimeDir,
        mountPoint,
        controlSocket: join(runtimeDir, 'dunnage.sock'),
        transport: 'kernel',
        scrubBytesPerSecond: 0,
        takeoverTimeoutSeconds: 10,
        logLevel: 'error',
        logFormat: 'json',
      },
      silentLog,
    );
    const end = async (): Promise<void> => {
      await daemon.end(true);
      rmSync(folder, { recursive: true, force: true });
    };
    return { daemon, mountPoint, end };
  }

  /** 10,000 projections, written at the first use. */
  async tenThousand(): Promise<TenThousand> {
    this.#tenThousand ??= await TenThousand.fill(this.parent);
    return this.#tenThousand;
  }

  /** A directory of an alloc, made at the first use, or the reason why that cannot be measured here. */
  async allocSide(): Promise<AllocSide | string> {
    this.#allocSide ??= await startAllocSide(() => this.daemon());
    return this.#allocSide;
  }

  /** Runs a loop of the probe over names in a directory. Resolves to nanoseconds. */
  async runProbe(loop: Loop, rounds: number, directory: string, names: readonly string[]): Promise<number> {
    const { stdout } = await run(this.probe, [loop, String(rounds), directory, ...names]);
    return Number(stdout);
  }

  /** FUSE requests that the connection of projections/ has answered since it was mounted. */
  async projectionRequests(control: Pick<ControlOperations, 'status'>): Promise<number> {
    const status = await control.status();
    const connection = status.connections.find(({ name }) => name === 'projections');
    if (connection === undefined) throw new Error('the daemon reports no connection named projections');
    return connection.requests;
  }

  async close(): Promise<void> {
    await this.#daemon?.stop();
    await this.#own?.end();
    await this.#tenThousand?.close();
    rmSync(this.plainFolder, { recursive: true, force: true });
  }
}
