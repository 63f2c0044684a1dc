/** Starts and ends the reader of test/kernel/programs/reader.ts. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { FileProjection } from '../../../src/projection/payload.ts';

export interface ReaderReport {
  readonly rounds: number;
  readonly generations: number;
  /** Rounds in which files of one directory belonged to several generations. */
  readonly mixed: number;
  /** Files whose content was of several generations. */
  readonly torn: number;
  readonly failures: readonly string[];
}

const PROGRAM = fileURLToPath(new URL('../programs/reader.js', import.meta.url));

export class Reader {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: Interface;

  private constructor(process: ChildProcessByStdio<Writable, Readable, null>) {
    this.#process = process;
    this.#lines = createInterface({ input: process.stdout });
  }

  /** Resolves when it reads. */
  static async start(root: string, names: readonly string[]): Promise<Reader> {
    const child = spawn(process.execPath, [PROGRAM, root, names.join(',')], { stdio: ['pipe', 'pipe', 'inherit'] });
    const reader = new Reader(child);
    await once(reader.#lines, 'line');
    return reader;
  }

  async stop(): Promise<ReaderReport> {
    const line = once(this.#lines, 'line') as Promise<[string]>;
    this.#process.stdin.end();
    const [text] = await line;
    return JSON.parse(text) as ReaderReport;
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }
}

/** Files of one generation as the reader expects them, of different sizes: some in LMDB, some files of their own. */
export function generationFiles(names: readonly string[], generation: number): Map<string, FileProjection> {
  return new Map(
    names.map((name, index) => [
      name,
      { data: Buffer.from(`${generation}\n`.repeat(index === 0 ? 20_000 : 1 + index * 300)), mode: 0o644 },
    ]),
  );
}
