/** A process that makes system calls as it is told (see native/main.cc), for as long as a test lasts. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { within } from '../../kernel/helpers/child-daemon.ts';
import { compileProgram } from '../../tools/compile-program.ts';

const CALL_MS_MAX = 20_000;
const END_MS_MAX = 10_000;

/** How actors are started: directly, or by a program that gives them other surroundings (a user namespace). */
export type Launch = (program: string) => readonly [command: string, ...words: string[]];

export class Actor {
  readonly #process: ChildProcess;
  readonly #waiting: Array<(reply: string) => void> = [];
  readonly #closed: Promise<unknown>;
  #said = '';

  constructor(launch: Launch = (program) => [program]) {
    const [command, ...words] = launch(compileProgram('test/conformance/posix/native', 'posix-syscalls'));
    this.#process = spawn(command, words, { stdio: ['pipe', 'pipe', 'pipe'], cwd: '/' });
    this.#closed = once(this.#process, 'close').finally(() => this.#fail());
    // What the program was told after its end fails by its missing reply.
    this.#process.stdin?.on('error', () => undefined);
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said += text;
    });
    if (this.#process.stdout === null) throw new Error('no output');
    createInterface({ input: this.#process.stdout }).on('line', (line) => this.#waiting.shift()?.(line));
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Makes one call. Resolves to its value or to the name of an errno; rejects if the program ends or does not answer. */
  async call(line: string): Promise<string> {
    const reply = new Promise<string>((resolve) => this.#waiting.push(resolve));
    this.#process.stdin?.write(`${line}\n`);
    const text = await within(reply, CALL_MS_MAX, `${line} (process ${this.pid})`);
    if (text === '') throw new Error(`${line}: the program ended: ${this.#said}`);
    return text;
  }

  /** Ends the process, also one that waits in a call. */
  async end(): Promise<void> {
    this.#process.stdin?.end();
    this.#process.kill('SIGKILL');
    await within(this.#closed, END_MS_MAX, `end of process ${this.pid}`);
  }

  #fail(): void {
    for (const resolve of this.#waiting.splice(0)) resolve('');
  }
}
