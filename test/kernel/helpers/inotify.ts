/** Watches with inotifywait, as a container would: optionally in a mount namespace of its own, behind a read-only bind mount. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface SeenEvent {
  /** inotify's names, e.g. `CREATE`, `MOVED_TO`, `CREATE,ISDIR`. */
  readonly events: string;
  readonly name: string;
}

const EVENT_TIMEOUT_MS = 20_000;

export class InotifyWatch {
  readonly seen: SeenEvent[] = [];
  readonly #process: ChildProcess;
  #onEvent: () => void = () => undefined;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  /** Resolves when the watch is established. */
  static async start(path: string): Promise<InotifyWatch> {
    return await InotifyWatch.#watch('inotifywait', inotifyArguments(path));
  }

  /**
   * In a new mount namespace that receives the host's mounts (propagation slave), `source` is bind-mounted read-only on
   * `target`, an existing directory, and watched there.
   */
  static async startInNamespace(source: string, target: string): Promise<InotifyWatch> {
    const script = 'mount --bind "$0" "$1" && mount -o remount,bind,ro "$1" && shift && exec inotifywait "$@"';
    const args = ['--mount', '--propagation', 'slave', 'sh', '-c', script, source, target, ...inotifyArguments(target)];
    return await InotifyWatch.#watch('unshare', args);
  }

  static async #watch(program: string, args: readonly string[]): Promise<InotifyWatch> {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const watch = new InotifyWatch(child);
    createInterface({ input: child.stdout }).on('line', (line) => watch.#receive(line));
    const complaints: string[] = [];
    const established = new Promise<void>((resolve, reject) => {
      createInterface({ input: child.stderr }).on('line', (line) => {
        complaints.push(line);
        if (line.includes('Watches established')) resolve();
      });
      child.on('exit', () => reject(new Error(`inotifywait ended: ${complaints.join('; ')}`)));
      child.on('error', reject);
    });
    await established;
    return watch;
  }

  #receive(line: string): void {
    const [events = '', name = ''] = line.split('|');
    this.seen.push({ events, name });
    this.#onEvent();
  }

  /** Resolves when an event matches, also one that was seen before; rejects after 20 s. */
  async until(matches: (event: SeenEvent) => boolean): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        const look = (): void => {
          if (this.seen.some(matches)) resolve();
        };
        this.#onEvent = look;
        timer = setTimeout(() => reject(new Error(`not seen; saw ${JSON.stringify(this.seen)}`)), EVENT_TIMEOUT_MS);
        look();
      });
    } finally {
      clearTimeout(timer);
    }
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await exited;
  }
}

function inotifyArguments(path: string): string[] {
  const events = ['create', 'delete', 'moved_from', 'moved_to', 'modify', 'attrib', 'delete_self', 'close_write'];
  return ['-m', '--format', '%e|%f', ...events.flatMap((event) => ['-e', event]), path];
}
