/**
 * Runs what serves a mount in a process of its own, and guarantees that nothing of it is left.
 *
 * A process that waits on its own mount cannot be killed, so the test never serves, and it touches the mount only with
 * the asynchronous calls of `node:fs/promises`: if one hangs, the timers of the test still run, and `stop` frees
 * it by aborting the connection.
 *
 * The child is a compiled module beside the test, forked with IPC. It says `{type: 'ready'}` when it serves, answers
 * `{id, command, ...}` with `{id, value}` or `{id, error}` (see `serveCommands` in child-side.ts), and ends when its
 * parent does.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadNative } from '../../../src/native/load.ts';
import { abortConnection, mountsBeneath } from './fuse-connections.ts';

export interface ChildDaemonOptions {
  /** Relative to the test's own module, e.g. `new URL('./helpers/sample-daemon.js', import.meta.url)`. */
  readonly module: URL;
  /** Passed to the child as JSON in its first argument. */
  readonly settings?: unknown;
  /** Descriptors the child gets as 4, 5, ... (3 is the IPC channel). */
  readonly descriptors?: readonly number[];
  readonly readyTimeoutMs?: number;
  readonly commandTimeoutMs?: number;
}

const READY_TIMEOUT_MS = 20_000;
const COMMAND_TIMEOUT_MS = 20_000;

interface Reply {
  readonly id?: number;
  readonly type?: string;
  readonly value?: unknown;
  readonly error?: string;
}

/** A forked process that takes commands. */
export class ChildDaemon {
  readonly process: ChildProcess;
  readonly #pending = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  readonly #exited: Promise<void>;
  readonly #commandTimeoutMs: number;
  #ready: () => void = () => undefined;
  #nextId = 1;

  private constructor(options: ChildDaemonOptions) {
    this.#commandTimeoutMs = options.commandTimeoutMs ?? COMMAND_TIMEOUT_MS;
    this.process = fork(fileURLToPath(options.module), [JSON.stringify(options.settings ?? {})], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...(options.descriptors ?? [])],
    });
    this.#exited = once(this.process, 'exit').then(() => this.#fail('the child ended'));
    this.process.on('message', (message: Reply) => this.#receive(message));
  }

  /** Forks and waits until the child says that it is ready. */
  static async start(options: ChildDaemonOptions): Promise<ChildDaemon> {
    const child = new ChildDaemon(options);
    const ready = new Promise<void>((resolve) => {
      child.#ready = resolve;
    });
    const died = child.#exited.then(() => {
      throw new Error(`${options.module.pathname} ended before it was ready`);
    });
    try {
      await within(Promise.race([ready, died]), options.readyTimeoutMs ?? READY_TIMEOUT_MS, 'start of the child');
    } catch (error) {
      await child.kill();
      throw error;
    }
    return child;
  }

  get pid(): number {
    return this.process.pid as number;
  }

  get running(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  /** Has the child run one of its commands and returns what that returned. */
  async command<T = unknown>(command: string, fields: Record<string, unknown> = {}): Promise<T> {
    const id = this.#nextId++;
    const reply = new Promise<unknown>((resolve, reject) => this.#pending.set(id, { resolve, reject }));
    if (!this.running) this.#fail('the child is not running');
    else this.process.send({ ...fields, id, command });
    return (await within(reply, this.#commandTimeoutMs, `command ${command}`)) as T;
  }

  /** Resolves when the process is gone. */
  exited(timeoutMs: number = COMMAND_TIMEOUT_MS): Promise<void> {
    return within(this.#exited, timeoutMs, 'end of the child');
  }

  /** SIGKILL, and waits for the end. */
  async kill(): Promise<void> {
    if (this.running) this.process.kill('SIGKILL');
    await this.exited();
  }

  #receive(message: Reply): void {
    if (message.type === 'ready') this.#ready();
    if (message.id === undefined) return;
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    if (message.error === undefined) pending?.resolve(message.value);
    else pending?.reject(new Error(message.error));
  }

  #fail(reason: string): void {
    for (const { reject } of this.#pending.values()) reject(new Error(reason));
    this.#pending.clear();
  }
}

const GONE: ReadonlySet<string> = new Set(['EINVAL', 'ENOENT']);

/** A temporary directory for mount points and sockets. `clean` leaves nothing mounted beneath it, whatever hangs. */
export class MountFolder {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<MountFolder> {
    return new MountFolder(await mkdtemp(join(tmpdir(), 'dm-')));
  }

  /** Aborts every FUSE connection mounted beneath: whoever waits on one gets an error. */
  async abort(): Promise<void> {
    for (const mount of await mountsBeneath(this.path)) {
      if (mount.type.startsWith('fuse')) await abortConnection(mount.minor);
    }
  }

  async unmountAll(): Promise<void> {
    for (const mount of (await mountsBeneath(this.path)).reverse()) {
      try {
        loadNative().unmount(mount.target, true);
      } catch (error) {
        // A holder that was told to abort unmounts the same, at the same time.
        if (!GONE.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
      }
    }
  }

  /** Ends the children, frees whoever still waits, unmounts and removes the folder. */
  async clean(...children: readonly (ChildDaemon | undefined)[]): Promise<void> {
    await this.abort();
    for (const child of children) await child?.kill();
    await this.unmountAll();
    await rm(this.path, { recursive: true, force: true });
  }
}

/** Rejects if the promise takes longer. */
export async function within<T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing after ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
