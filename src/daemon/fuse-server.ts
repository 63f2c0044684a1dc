/** The daemon's end of whoever serves FUSE (fuse-link.ts has the other): a worker thread, or a child process. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Log } from '../base/log.ts';
import { DunnageError } from '../errors/dunnage-error.ts';
import type { FromFuseThread, FuseThreadData, ToFuseThread } from './fuse-messages.ts';

export interface FuseServerEvents {
  readonly onMessage: (message: FromFuseThread) => void;
  /** It broke or ended; nothing more will come. May be called when it was asked to end, too. */
  readonly onEnd: (error: Error) => void;
}

export interface FuseServer {
  post(message: ToFuseThread): void;
  terminate(): Promise<void>;
}

const PROGRAM = new URL('./fuse-thread.js', import.meta.url);
const WORDS_CHARACTERS_MAX = 2_000;
/** How long a child that was asked to end may take. */
const END_MS_MAX = 3_000;

export function startFuseWorker(data: FuseThreadData, events: FuseServerEvents): FuseServer {
  const transferList = data.staging === undefined ? [] : [data.staging];
  const worker = new Worker(PROGRAM, { workerData: data, transferList, name: 'fuse' });
  worker.on('message', events.onMessage);
  worker.on('error', events.onEnd);
  worker.on('exit', () => events.onEnd(new DunnageError('INTERNAL', 'the FUSE thread ended by itself')));
  return {
    post: (message) => worker.postMessage(message),
    terminate: async () => void (await worker.terminate()),
  };
}

/** What libfuse writes to its standard error goes to the log. */
export function startFuseProcess(data: FuseThreadData, events: FuseServerEvents, log: Log): FuseServer {
  const child = fork(fileURLToPath(PROGRAM), [], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    execArgv: [],
  });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-WORDS_CHARACTERS_MAX);
    log.warn({ pid: child.pid, text: text.trim() }, 'the serving process complains');
  });
  child.on('message', (message) => events.onMessage(message as FromFuseThread));
  child.on('error', events.onEnd);
  const ended = new Promise<void>((resolve) => {
    // Not `exit`: what it said before it ended is still in the pipe then.
    child.on('close', (code, signal) => {
      resolve();
      const how = `${signal ?? `exit code ${code}`}${said === '' ? '' : `: ${said.trim()}`}`;
      events.onEnd(new DunnageError('INTERNAL', `the serving process ended by itself (${how})`));
    });
  });
  const post = (message: unknown): void => {
    // A channel that breaks is the end of the process, which is told by itself.
    child.send(message as object, () => undefined);
  };
  post(data);
  return { post, terminate: () => endOf(child, ended) };
}

async function endOf(child: ChildProcess, ended: Promise<void>): Promise<void> {
  if (child.connected) child.disconnect();
  const timer = setTimeout(() => child.kill('SIGKILL'), END_MS_MAX);
  await ended;
  clearTimeout(timer);
}
