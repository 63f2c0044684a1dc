/** The demo's own daemon: everything of it is in one temporary folder, and nothing of it is left afterwards. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { DunnageError } from '../../errors/dunnage-error.ts';
import { ControlClient } from '../../server/control-client.ts';
import { hostMs } from './reader-messages.ts';

const run = promisify(execFile);
const COMMAND_LINE = fileURLToPath(new URL('../main.js', import.meta.url));
const COMMAND_MS_MAX = 60_000;
const EXIT_POLL_MS = 5;

export class DemoHost {
  readonly folder: string;
  readonly runtimeDir: string;
  readonly mountPoint: string;
  readonly client: ControlClient;

  private constructor(folder: string) {
    this.folder = folder;
    this.runtimeDir = join(folder, 'run');
    this.mountPoint = join(this.runtimeDir, 'mnt');
    this.client = new ControlClient(join(this.runtimeDir, 'dunnage.sock'));
  }

  static async create(): Promise<DemoHost> {
    return new DemoHost(await mkdtemp(join(tmpdir(), 'dunnage-demo-')));
  }

  /** `dunnage up --detach`; takes over if an earlier daemon was killed. Resolves to milliseconds until the tree was live. */
  async up(): Promise<number> {
    const start = hostMs();
    await this.#dunnage('up', '--detach', '--state-dir', join(this.folder, 'state'));
    return hostMs() - start;
  }

  /** kill -9 of the daemon; resolves when the process is gone. */
  async killDaemon(): Promise<number> {
    const { pid } = await this.client.status();
    process.kill(pid, 'SIGKILL');
    while (await isRunning(pid)) await delay(EXIT_POLL_MS);
    return pid;
  }

  /** `dunnage down` and removal of the folder. */
  async remove(): Promise<void> {
    await this.#dunnage('down');
    await this.#removeFolder();
  }

  /** After a failure: `remove` with all means, because the daemon may never have come up or may hang. */
  async abandon(): Promise<void> {
    try {
      await this.#dunnage('down');
    } catch {
      for (const mountPoint of await this.#mountPoints()) await run('umount', ['--lazy', mountPoint]);
    }
    await this.#removeFolder();
  }

  /** What is mounted in the folder, innermost first. */
  async #mountPoints(): Promise<string[]> {
    const mounts = await readFile('/proc/self/mountinfo', 'utf8');
    const points = mounts.split('\n').map((line) => line.split(' ')[4] ?? '');
    return points.filter((point) => point.startsWith(`${this.folder}/`)).reverse();
  }

  async #removeFolder(): Promise<void> {
    const [mounted] = await this.#mountPoints();
    if (mounted !== undefined) {
      throw new DunnageError('BUSY', `${mounted} is still mounted, so ${this.folder} is not removed`, {
        remedy: `umount --lazy ${mounted}; rm -r ${this.folder}`,
      });
    }
    await rm(this.folder, { recursive: true, force: true });
  }

  /** The command as a person would type it. */
  commandLine(...args: string[]): string {
    return ['dunnage', ...args, '--runtime-dir', this.runtimeDir].join(' ');
  }

  async #dunnage(...args: string[]): Promise<void> {
    const command = [COMMAND_LINE, ...args, '--runtime-dir', this.runtimeDir];
    try {
      await run(process.execPath, command, { timeout: COMMAND_MS_MAX });
    } catch (error) {
      const said = String((error as { stderr?: unknown }).stderr ?? '').trim();
      throw new DunnageError('INTERNAL', `${this.commandLine(...args)} failed: ${said}`, { cause: error });
    }
  }
}

/** A zombie that its parent has not yet waited for is not running any more. */
async function isRunning(pid: number): Promise<boolean> {
  try {
    return !/\) [ZX] /.test(await readFile(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
