/** Starts the reader in a mount namespace of its own, behind a read-only bind mount, and listens to it. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { DunnageError } from '../../errors/dunnage-error.ts';
import { decodeMessage, type ReaderMessage, type ReaderReport } from './reader-messages.ts';

const READER = fileURLToPath(new URL('./reader-process.js', import.meta.url));
/** What a container runtime does: bind, make it read-only, start the program. Propagation: docs say `rslave`. */
const ENTER = 'mount --bind "$1" "$2" && mount -o remount,bind,ro "$2" && shift && exec "$NODE" "$READER" "$@"';
const ANSWER_MS_MAX = 30_000;

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

export class DemoReader {
  readonly #child: Child;
  readonly #messages: ReaderMessage[] = [];
  readonly #waiting = new Set<() => void>();
  #complaint = '';
  #ended = false;

  private constructor(child: Child) {
    this.#child = child;
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.#messages.push(decodeMessage(line));
      this.#wake();
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#complaint += text;
    });
    const end = (): void => {
      this.#ended = true;
      this.#wake();
    };
    child.on('error', (error) => {
      this.#complaint += error.message;
      end();
    });
    child.on('close', end);
  }

  /** `inside` is where the reader sees `source`. Resolves when it reads and watches. */
  static async start(source: string, inside: string, file: string): Promise<DemoReader> {
    await mkdir(inside, { recursive: true });
    const enter = ['--mount', '--propagation', 'slave', 'sh', '-c', ENTER, 'sh', source, inside, file];
    const environment = { ...process.env, NODE: process.execPath, READER };
    const reader = new DemoReader(spawn('unshare', enter, { stdio: ['pipe', 'pipe', 'pipe'], env: environment }));
    await reader.waitFor(({ type }) => type === 'ready');
    return reader;
  }

  /** The first message that came since `from` (an index of `position`) and is wanted; waits for it if it has not come. */
  async waitFor(isWanted: (message: ReaderMessage) => boolean, from: number = 0): Promise<ReaderMessage> {
    const deadline = AbortSignal.timeout(ANSWER_MS_MAX);
    deadline.addEventListener('abort', () => this.#wake());
    for (;;) {
      const found = this.#messages.slice(from).find(isWanted);
      if (found !== undefined) return found;
      if (this.#ended || deadline.aborted) {
        const reason = this.#ended ? `ended: ${this.#complaint.trim()}` : `said nothing for ${ANSWER_MS_MAX / 1000} s`;
        throw new DunnageError('INTERNAL', `the reader in its mount namespace ${reason}`, {
          remedy: 'the demo needs unshare and mount (package util-linux) and the right to make mount namespaces',
        });
      }
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** How many messages have come: hand it to `waitFor` or `since` to look at later ones only. */
  get position(): number {
    return this.#messages.length;
  }

  since(position: number): readonly ReaderMessage[] {
    return this.#messages.slice(position);
  }

  /** Counts since the last report. */
  async report(): Promise<ReaderReport> {
    const { position } = this;
    this.#child.stdin.write('report\n');
    const message = await this.waitFor(({ type }) => type === 'report', position);
    if (message.type !== 'report')
      throw new DunnageError('INTERNAL', 'the reader answered something else than a report');
    return message;
  }

  async stop(): Promise<void> {
    if (this.#ended) return;
    const closed = once(this.#child, 'close');
    this.#child.stdin.end();
    const kill = setTimeout(() => this.#child.kill('SIGKILL'), 2000);
    await closed;
    clearTimeout(kill);
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }
}
