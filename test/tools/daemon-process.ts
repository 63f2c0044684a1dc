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

const MAIN = join(compiledRoot(), 'src/cli/main.js');

export interface DaemonProcessOptions {
  /** Given to every `up`. */
  readonly upOptions?: readonly string[];
  /** The program, if not this compilation's own. */
  readonly main?: string;
}

export class DaemonProcess {
  readonly folder: string;
  readonly stateDir: string;
  readonly runtimeDir: string;
  readonly client: ControlClient;
  readonly #main: string;
  readonly #upOptions: readonly string[];

  private constructor(folder: string, main: string, upOptions: readonly string[]) {
    this.folder = folder;
    this.#main = main;
    this.#upOptions = upOptions;
    this.stateDir = join(folder, 'state');
    this.runtimeDir = join(folder, 'run');
    this.client = new ControlClient(join(this.runtimeDir, 'dunnage.sock'));
  }

  /** `parent`: where the folder for state and run time is made; its file system is the one the store lies on. */
  static async start(
    parent: string,
    { upOptions = [], main = MAIN }: DaemonProcessOptions = {},
  ): Promise<DaemonProcess> {
    const daemon = new DaemonProcess(mkdtempSync(join(parent, 'dd-')), main, upOptions);
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
    const places = ['--state-dir', this.stateDir, '--runtime-dir', this.runtimeDir];
    await this.#run('up', '--detach', ...places, ...this.#upOptions, ...more);
  }

  /** Runs a command of the command line against this daemon. Resolves to its standard output. */
  dunnage(...args: string[]): Promise<string> {
    return this.#run(...args, '--socket', join(this.runtimeDir, 'dunnage.sock'));
  }

  async #run(...args: string[]): Promise<string> {
    const { stdout } = await run(process.execPath, [this.#main, ...args], { timeout: START_MS_MAX });
    return stdout;
  }

  /** Unmounts, ends daemon and holder and removes the folder. */
  async stop(): Promise<void> {
    await this.dunnage('down');
    rmSync(this.folder, { recursive: true, force: true });
  }
}
