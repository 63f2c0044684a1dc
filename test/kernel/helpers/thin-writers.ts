/** Processes that fill thin devices with blocks that tell which they are, and how much of it was acknowledged to them. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { BLOCK_BYTES, blockOf } from './numbered-blocks.ts';

export class ThinWriter {
  readonly path: string;
  readonly seed: number;
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  acknowledged = 0;

  /** Begins with the beginning of the device. */
  constructor(path: string, seed: number, sizeBytes: number) {
    this.path = path;
    this.seed = seed;
    const program = fileURLToPath(new URL('../programs/thin-writer.js', import.meta.url));
    const words = [program, path, String(seed), String(sizeBytes / BLOCK_BYTES)];
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'ignore'] });
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.acknowledged += text.split('\n').length - 1;
    });
    this.#process = child;
    this.#ended = once(child, 'close');
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Resolves to its exit code, when everything it was told has been heard. */
  async end(): Promise<number | null> {
    await this.#ended;
    return this.#process.exitCode;
  }

  /** It ends as soon as the kernel lets it. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }

  /** Every byte that was acknowledged is there. */
  assertKept(): void {
    const device = openSync(this.path, 'r');
    try {
      const content = Buffer.alloc(BLOCK_BYTES);
      for (let block = 0; block < this.acknowledged; block += 1) {
        assert.equal(readSync(device, content, 0, BLOCK_BYTES, block * BLOCK_BYTES), BLOCK_BYTES);
        assert.ok(content.equals(blockOf(this.seed, block)), `block ${block} of ${this.path}`);
      }
    } finally {
      closeSync(device);
    }
  }
}
