/**
 * Holds file systems frozen for the moment of a snapshot, through a process (dunnage-freezer) that thaws them whatever becomes
 * of this one: after a time, and when this process ends in any way.
 *
 * What is frozen is also noted as a file in a folder on a tmpfs: should both processes be killed at once, the next one thaws
 * what is left (`thawLeftOvers`). Neither a freeze nor the folder outlives a restart of the host.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, constants, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { Log } from '../../base/log.ts';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import { loadNative } from '../../native/load.ts';
import { systemError } from '../../native/system-error.ts';

export interface FreezerOptions {
  /** Absolute path of dunnage-freezer. */
  readonly programPath: string;
  /** Where notes of what is frozen lie: on a tmpfs, of this pool alone. Made if it is missing. */
  readonly notesFolder: string;
  readonly log: Log;
}

/** One file system that is held frozen. */
export interface Hold {
  /** False from the moment it was thawed by somebody else than `release`: the time was over, or the program was killed. */
  readonly isHeld: boolean;
  /** Thaws it. Resolves to whether it was frozen all the time until now. A second call resolves to the same. */
  release(): Promise<boolean>;
}

type Child = ChildProcessByStdio<Writable, Readable, null>;

export class Freezer {
  readonly #options: FreezerOptions;
  readonly #holds = new Map<string, HeldFileSystem>();
  #child: Child | undefined;

  constructor(options: FreezerOptions) {
    this.#options = options;
    mkdirSync(options.notesFolder, { recursive: true, mode: 0o700 });
  }

  /**
   * Freezes the file system that is mounted at `path`, for at most that time.
   * @throws DunnageError BUSY if it is frozen already (by somebody else), INVALID_ARGUMENT, NOT_SUPPORTED, MISSING_DEPENDENCY
   */
  async freeze(path: string, timeoutMs: number): Promise<Hold> {
    if (path.includes('\n'))
      throw new DunnageError('INVALID_ARGUMENT', `${path} cannot be frozen: its name has a line break`);
    const token = randomUUID();
    const note = join(this.#options.notesFolder, token);
    writeFileSync(note, path);
    const held = new HeldFileSystem(path, {
      thaw: () => this.#say(`thaw ${token}`),
      forget: () => {
        this.#holds.delete(token);
        rmSync(note, { force: true });
      },
    });
    this.#holds.set(token, held);
    this.#say(`freeze ${token} ${timeoutMs} ${path}`);
    await held.frozen;
    return held;
  }

  /** Of the program while it runs. */
  get processId(): number | undefined {
    return this.#child?.pid;
  }

  /** Thaws what an earlier process had frozen when it was killed together with its freezer. Resolves to the paths. */
  async thawLeftOvers(): Promise<readonly string[]> {
    const { notesFolder, log } = this.#options;
    const thawed: string[] = [];
    for (const token of readdirSync(notesFolder).filter((name) => !this.#holds.has(name))) {
      const path = readFileSync(join(notesFolder, token), 'utf8');
      try {
        if (await thaw(path)) thawed.push(path);
      } catch (error) {
        // It is not mounted any more, so nothing of it is frozen.
        log.warn(
          { path, reason: (error as Error).message },
          'what was frozen for a snapshot cannot be looked at any more',
        );
      }
      rmSync(join(notesFolder, token), { force: true });
    }
    return thawed;
  }

  /** Thaws everything. Idempotent. */
  async close(): Promise<void> {
    await Promise.all([...this.#holds.values()].map((held) => held.release()));
    const child = this.#child;
    if (child === undefined) return;
    const ended = once(child, 'close');
    child.stdin.end();
    await ended;
  }

  #say(line: string): void {
    this.#child ??= this.#start();
    this.#child.stdin.write(`${line}\n`);
  }

  #start(): Child {
    const { programPath, log } = this.#options;
    // Of a group of its own: a Ctrl-C at the terminal is not meant for it.
    const child = spawn(programPath, ['hold'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: {},
      cwd: '/',
      detached: true,
    });
    child.stdin.on('error', () => child.kill('SIGTERM'));
    createInterface({ input: child.stdout }).on('line', (line) => this.#hear(line));
    child.on('error', (cause) => {
      this.#child = undefined;
      const error = new DunnageError('MISSING_DEPENDENCY', `cannot run ${programPath}: ${cause.message}`, { cause });
      for (const held of this.#holds.values()) held.fail(error);
    });
    child.on('close', (exitCode, signal) => {
      if (this.#child === child) this.#child = undefined;
      if (this.#holds.size === 0) return;
      log.error({ exitCode, signal }, 'dunnage-freezer was ended by somebody; what it held is thawed');
      for (const held of this.#holds.values()) held.lose();
    });
    return child;
  }

  #hear(line: string): void {
    const [word, token = '', errno] = line.split(' ');
    const held = this.#holds.get(token);
    if (held === undefined) return;
    if (word === 'frozen') held.begin();
    else if (word === 'thawed') held.end(true);
    else if (word === 'expired') held.end(false);
    else if (word === 'failed') held.fail(refusal(held.path, Number(errno)));
  }
}

class HeldFileSystem implements Hold {
  readonly path: string;
  readonly #then: { thaw(): void; forget(): void };
  readonly frozen: Promise<void>;
  readonly #ended: Promise<boolean>;
  #begin: () => void = () => undefined;
  #fail: (error: DunnageError) => void = () => undefined;
  #end: (wasHeld: boolean) => void = () => undefined;
  #state: 'asked' | 'held' | 'ended' = 'asked';

  constructor(path: string, then: { thaw(): void; forget(): void }) {
    this.path = path;
    this.#then = then;
    this.frozen = new Promise((resolve, reject) => {
      this.#begin = resolve;
      this.#fail = reject;
    });
    // Whoever waits for `frozen` is told; `close` may come first.
    this.frozen.catch(() => undefined);
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  get isHeld(): boolean {
    return this.#state === 'held';
  }

  async release(): Promise<boolean> {
    if (this.#state !== 'ended') this.#then.thaw();
    return await this.#ended;
  }

  begin(): void {
    this.#state = 'held';
    this.#begin();
  }

  end(wasHeld: boolean): void {
    this.#state = 'ended';
    this.#then.forget();
    this.#end(wasHeld);
  }

  fail(error: DunnageError): void {
    this.#fail(error);
    this.end(false);
  }

  /** The program is gone without thawing: it was killed. */
  lose(): void {
    this.#state = 'ended';
    void thaw(this.path)
      .catch(() => false)
      .then(() => this.fail(new DunnageError('INTERRUPTED', `dunnage-freezer was killed while it froze ${this.path}`)));
  }
}

/** False if it was not frozen. */
async function thaw(path: string): Promise<boolean> {
  const directory = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return await loadNative().thawFileSystem(directory);
  } finally {
    closeSync(directory);
  }
}

const ERRNO_NAMES: Readonly<Record<number, string>> = {
  16: 'EBUSY',
  22: 'EINVAL',
  95: 'ENOSYS',
  1: 'EPERM',
  2: 'ENOENT',
};

function refusal(path: string, errno: number): DunnageError {
  const code = ERRNO_NAMES[errno] ?? 'EIO';
  if (code === 'EBUSY') {
    return new DunnageError('BUSY', `${path} is frozen already, by somebody else`, {
      remedy: `thaw it: fsfreeze --unfreeze ${path}`,
    });
  }
  return fromSystemError(
    systemError(code, 'ioctl', path, `FIFREEZE failed with error ${errno}`),
    `cannot freeze ${path}`,
  );
}
