/**
 * Stops the writers of an overcommitted pool before it is full: a process of its own (dunnage-freezer) watches the free space and
 * freezes the pool's file system when it falls below a mark. Writers wait then; reads go on. It outlives this process, because
 * the writers do, and the next one finds it at its socket.
 *
 * While the pool is frozen nothing of it can be changed, so whatever changes it goes through `whileOpen`, which thaws it for the
 * moment. What only takes space must not be tried then.
 */
import { spawn } from 'node:child_process';
import { statfs } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../../base/log.ts';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import { systemCode } from '../../native/system-error.ts';

export interface WriteGuardOptions {
  /** Absolute path of dunnage-freezer. */
  readonly programPath: string;
  /** At most 107 bytes; its folder exists and is nobody else's. */
  readonly socketPath: string;
  /** Root of the pool's file system. */
  readonly directory: string;
  /** Writers are stopped when less is free. */
  readonly freezeBelowBytes: number;
  /** And go on when at least this much is. */
  readonly thawAboveBytes: number;
  readonly onChange: (isFrozen: boolean, availableBytes: number) => void;
  /** Words before the command that starts it, see `guard-scope.ts`. */
  readonly launcher?: readonly string[];
  readonly log: Log;
}

type Limits = Pick<WriteGuardOptions, 'freezeBelowBytes' | 'thawAboveBytes'>;

interface Starting {
  /** It was to be started in a way that is not to be had here. */
  hasFailed(): boolean;
}

/** Longest time for which the pool is open for a change, should nobody say that it is done. */
const OPEN_MS = 60_000;
/** What is kept free is enough for so many of them. */
const MOMENTS = 16;
const START_TRIES = 500;
const START_WAIT_MS = 10;

export class WriteGuard {
  readonly #options: WriteGuardOptions;
  #socket: Socket | undefined;
  #limits: Limits;
  #isFrozen = false;
  #changes = 0;
  #opened: Promise<void> | undefined;
  #onOpened: (() => void) | undefined;
  #onSettled: (() => void) | undefined;
  #isClosed = false;

  private constructor(options: WriteGuardOptions) {
    this.#options = options;
    this.#limits = options;
  }

  /** Connects to the guard of the pool, or starts one. @throws DunnageError MISSING_DEPENDENCY, TIMED_OUT */
  static async start(options: WriteGuardOptions): Promise<WriteGuard> {
    const guard = new WriteGuard(options);
    await guard.#connect();
    return guard;
  }

  /** Ends one that an earlier process has left at that socket, thawed. */
  static async end(socketPath: string): Promise<void> {
    const socket = await connected(socketPath);
    if (socket === undefined) return;
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined);
    socket.resume();
    socket.write('quit\n');
    await closed;
  }

  /** Writers wait. */
  get isFrozen(): boolean {
    return this.#isFrozen;
  }

  /** At least half is left of what is kept free: it may be opened for a moment for what gives nothing back. */
  async hasReserve(): Promise<boolean> {
    return (await this.freeBytes()) * 2 >= this.#limits.freezeBelowBytes;
  }

  /** How much of what is kept free may be written each time the pool is opened for what gives nothing back. */
  get momentBytes(): number {
    return this.#limits.freezeBelowBytes / MOMENTS;
  }

  /** Of the pool's file system, as it says at this moment. */
  async freeBytes(): Promise<number> {
    const { directory } = this.#options;
    const { bavail, bsize } = await statfs(directory).catch((error: unknown) => {
      throw fromSystemError(error, `cannot ask for the free space of ${directory}`);
    });
    return bavail * bsize;
  }

  /** Other figures from now on: the pool has another size. */
  setLimits({ freezeBelowBytes, thawAboveBytes }: Limits): void {
    this.#limits = { freezeBelowBytes, thawAboveBytes };
    this.#socket?.write(`limits ${freezeBelowBytes} ${thawAboveBytes}\n`);
  }

  /** Runs something that changes the pool. Several at once share one thaw. */
  async whileOpen<T>(change: () => Promise<T>): Promise<T> {
    this.#changes += 1;
    try {
      this.#opened ??= this.#open();
      await this.#opened;
      return await change();
    } finally {
      this.#changes -= 1;
      if (this.#changes === 0) {
        this.#opened = undefined;
        await this.#settle();
      }
    }
  }

  /** Lets go of it; it goes on watching. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const socket = this.#socket;
    if (socket === undefined) return;
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.destroy();
    await closed;
  }

  /** Ends it, thawed: the pool goes out of service. */
  async stop(): Promise<void> {
    this.#isClosed = true;
    const socket = this.#socket;
    if (socket === undefined) return;
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write('quit\n');
    await closed;
  }

  async #open(): Promise<void> {
    const opened = new Promise<void>((resolve) => {
      this.#onOpened = resolve;
    });
    this.#say(`open ${OPEN_MS}`);
    await opened;
  }

  /** Resolves when the guard has said whether writers wait now. */
  async #settle(): Promise<void> {
    const settled = new Promise<void>((resolve) => {
      this.#onSettled = resolve;
    });
    this.#say('watch');
    await settled;
  }

  /** Without a guard nothing is frozen by it and nothing is to be opened; a new one is on its way. */
  #say(line: string): void {
    if (this.#socket !== undefined) {
      this.#socket.write(`${line}\n`);
      return;
    }
    this.#onOpened?.();
    this.#onSettled?.();
  }

  async #connect(): Promise<void> {
    const { socketPath } = this.#options;
    let starting: Starting | undefined;
    for (let tries = 0; tries < START_TRIES; tries += 1) {
      const socket = await connected(socketPath);
      if (socket !== undefined) return this.#adopt(socket);
      starting ??= await this.#startProgram(true);
      if (starting.hasFailed()) starting = await this.#startProgram(false);
      await sleep(START_WAIT_MS);
    }
    throw new DunnageError('TIMED_OUT', `the guard of the pool does not listen at ${socketPath}`);
  }

  async #startProgram(isLaunched: boolean): Promise<Starting> {
    const { programPath, socketPath, directory, launcher = [], log } = this.#options;
    const { freezeBelowBytes, thawAboveBytes } = this.#limits;
    const words = [programPath, 'guard', socketPath, directory, String(freezeBelowBytes), String(thawAboveBytes)];
    const [path = programPath, ...rest] = isLaunched ? [...launcher, ...words] : words;
    if (!isLaunched && launcher.length > 0) {
      log.warn({ launcher: launcher[0] }, 'the guard of the pool gets no scope of its own: it ends with the service');
    }
    const exitCode = await startProgram(path, rest);
    return { hasFailed: () => isLaunched && launcher.length > 0 && exitCode() > 0 };
  }

  #adopt(socket: Socket): void {
    const { log } = this.#options;
    this.#socket = socket;
    socket.on('error', (error) => log.warn({ reason: error.message }, 'the guard of the pool cannot be reached'));
    socket.on('close', () => {
      this.#socket = undefined;
      this.#onOpened?.();
      this.#onSettled?.();
      if (this.#isClosed) return;
      log.error({}, 'the guard of the pool was ended by somebody; it is started anew');
      this.#connect().catch((error: unknown) => {
        log.error(
          { reason: (error as Error).message },
          'the pool has no guard: writers are not stopped before it is full',
        );
      });
    });
    // It passes the errors of the socket on, which are told above.
    createInterface({ input: socket })
      .on('line', (line) => this.#hear(line))
      .on('error', () => undefined);
    this.setLimits(this.#limits);
  }

  #hear(line: string): void {
    const [word, available] = line.split(' ');
    if (word === 'opened') {
      this.#onOpened?.();
      return;
    }
    const isFrozen = word === 'frozen';
    const changes = this.#isFrozen !== isFrozen;
    this.#isFrozen = isFrozen;
    this.#onSettled?.();
    if (changes) this.#options.onChange(isFrozen, Number(available));
    // It froze between two changes of which one is under way: that one would wait for ever.
    if (isFrozen && this.#changes > 0) this.#say(`open ${OPEN_MS}`);
  }
}

function connected(path: string): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(socket));
    socket.once('error', (error) => {
      socket.destroy();
      if (['ENOENT', 'ECONNREFUSED'].includes(systemCode(error) ?? '')) resolve(undefined);
      else reject(error);
    });
  });
}

/** Resolves when it runs; it outlives this process. The answer tells its exit code: 0 while it runs. */
function startProgram(path: string, words: readonly string[]): Promise<() => number> {
  return new Promise((resolve, reject) => {
    const child = spawn(path, words, { stdio: 'ignore', detached: true, env: {}, cwd: '/' });
    child.once('spawn', () => {
      child.unref();
      resolve(() => child.exitCode ?? 0);
    });
    child.once('error', (cause) => {
      reject(new DunnageError('MISSING_DEPENDENCY', `cannot run ${path}: ${cause.message}`, { cause }));
    });
  });
}
