/** A daemon for tests and benchmarks, started as users start it: by the command line, in a process of its own. */
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ControlClient } from '../../src/server/control-client.ts';
import { compiledRoot } from './repository.ts';

const run = promisify(execFile);

/** Longer than any start takes that will still succeed. */
const START_MS_MAX = 60_000;

export class DaemonProcess {
  readonly folder: string;
  readonly stateDir: string;
  readonly runtimeDir: string;
  readonly client: ControlClient;

  private constructor(folder: string) {
    this.folder = folder;
    this.stateDir = join(folder, 'state');
    this.runtimeDir = join(folder, 'run');
    this.client = new ControlClient(join(this.runtimeDir, 'dunnage.sock'));
  }

  /** `parent`: where the folder for state and run time is made; its file system is the one the store lies on. */
  static async start(parent: string): Promise<DaemonProcess> {
    const daemon = new DaemonProcess(mkdtempSync(join(parent, 'dd-')));
    // Tests act as other users too, and those have to get as far as the mount.
    chmodSync(daemon.folder, 0o755);
    try {
      await daemon.up();
    } catch (error) {
      await daemon.stop().catch(() => undefined);
      throw error;
    }
    return daemon;
  }

  get mountPoint(): string {
    return join(this.runtimeDir, 'mnt');
  }

  /** `dunnage up --detach`: also after a kill, to take over. */
  async up(...more: string[]): Promise<void> {
    await this.#run('up', '--detach', '--state-dir', this.stateDir, '--runtime-dir', this.runtimeDir, ...more);
  }

  /** Runs a command of the command line against this daemon. Resolves to its standard output. */
  dunnage(...args: string[]): Promise<string> {
    return this.#run(...args, '--socket', join(this.runtimeDir, 'dunnage.sock'));
  }

  async #run(...args: string[]): Promise<string> {
    const main = join(compiledRoot(), 'src/cli/main.js');
    const { stdout } = await run(process.execPath, [main, ...args], { timeout: START_MS_MAX });
    return stdout;
  }

  /** Unmounts, ends daemon and holder and removes the folder. */
  async stop(): Promise<void> {
    await this.dunnage('down');
    rmSync(this.folder, { recursive: true, force: true });
  }
}
