/**
 * The program inside the container-like mount namespace: `reader-process.js DIRECTORY FILE`. Reads FILE without end, watches
 * DIRECTORY with inotify, and reports on standard output. A line on standard input asks for a report; its end ends it.
 */
import { spawn } from 'node:child_process';
import { watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { encodeMessage, hostMs, type ReaderMessage, type ReaderReport } from './reader-messages.ts';

type Send = (message: ReaderMessage) => void;

/** Stops watching. */
export interface Watching {
  close(): void;
}

/** inotifywait names the events; without it Node's watcher at least says that something was renamed. Resolves when it watches. */
export function watchDirectory(directory: string, send: Send): Promise<Watching> {
  const child = spawn('inotifywait', ['--monitor', '--format', '%e %f', directory], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    const space = line.indexOf(' ');
    send({ type: 'event', atMs: hostMs(), event: line.slice(0, space), name: line.slice(space + 1) });
  });
  return new Promise((resolve, reject) => {
    child.on('exit', (code) => reject(new Error(`inotifywait ended with ${code} before it watched`)));
    child.on('error', () => {
      resolve(watch(directory, (event, name) => send({ type: 'event', atMs: hostMs(), event, name: name ?? '' })));
    });
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (line.startsWith('Watches established')) resolve({ close: () => void child.kill() });
    });
  });
}

/** Reads a file again and again and keeps count. */
export class EndlessReader {
  readonly #path: string;
  readonly #send: Send;
  #reads = 0;
  #failures = 0;
  #firstFailure: string | undefined;
  #longestReadMs = 0;
  #value: string | undefined;

  constructor(path: string, send: Send) {
    this.#path = path;
    this.#send = send;
  }

  async readOnce(): Promise<void> {
    const start = hostMs();
    try {
      const value = await readFile(this.#path, 'utf8');
      if (value !== this.#value) this.#send({ type: 'value', atMs: hostMs(), value });
      this.#value = value;
      this.#reads += 1;
    } catch (error) {
      this.#failures += 1;
      this.#firstFailure ??= (error as NodeJS.ErrnoException).code ?? String(error);
    }
    this.#longestReadMs = Math.max(this.#longestReadMs, hostMs() - start);
  }

  /** Counts since the last call. */
  takeReport(): ReaderReport {
    const report = {
      reads: this.#reads,
      failures: this.#failures,
      firstFailure: this.#firstFailure,
      longestReadMs: this.#longestReadMs,
    };
    this.#reads = 0;
    this.#failures = 0;
    this.#firstFailure = undefined;
    this.#longestReadMs = 0;
    return report;
  }
}

async function main(directory: string, file: string): Promise<void> {
  const send: Send = (message) => void process.stdout.write(encodeMessage(message));
  const reader = new EndlessReader(join(directory, file), send);
  const commands = createInterface({ input: process.stdin });
  commands.on('line', () => send({ type: 'report', ...reader.takeReport() }));
  const watching = watchDirectory(directory, send);
  commands.on('close', () => {
    void watching.then(({ close }) => close()).finally(() => process.exit(0));
  });
  await watching;
  await reader.readOnce();
  send({ type: 'ready' });
  for (;;) await reader.readOnce();
}

const [, script, directory, file] = process.argv;
if (script?.endsWith('reader-process.js') === true && directory !== undefined && file !== undefined) {
  await main(directory, file);
}
