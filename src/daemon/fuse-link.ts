/**
 * The end of whoever serves FUSE: a worker thread of the daemon (kernel transport) or a child process of it (fuse-native,
 * which answers in the main thread of its process only). The daemon's end is fuse-server.ts.
 */
import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { loadNative } from '../native/load.ts';
import type { FromFuseThread, FuseThreadData, ToFuseThread } from './fuse-messages.ts';

export interface FuseLink {
  readonly data: FuseThreadData;
  /** This is a process of its own, not a thread of the daemon. */
  readonly isProcess: boolean;
  say(message: FromFuseThread): void;
  listen(receive: (message: ToFuseThread) => void): void;
  /** Nothing more will be said: the thread or process may end. */
  close(): void;
}

export async function openFuseLink(): Promise<FuseLink> {
  return parentPort === null ? await linkOfProcess() : linkOfWorker(parentPort);
}

function linkOfWorker(port: NonNullable<typeof parentPort>): FuseLink {
  return {
    data: workerData as FuseThreadData,
    isProcess: false,
    say: (message) => port.postMessage(message),
    listen: (receive) => void port.on('message', receive),
    close: () => port.close(),
  };
}

/** The first message is the data. The process ends with the daemon, and its mount with it. */
async function linkOfProcess(): Promise<FuseLink> {
  if (process.send === undefined) throw new Error('this module runs as a worker thread or as a forked process');
  const send = process.send.bind(process);
  // A terminal and a supervisor signal everybody; when to end is the daemon's to say.
  process.on('SIGINT', () => undefined).on('SIGTERM', () => undefined);
  process.on('disconnect', () => process.exit(0));
  // The key of secrets is in this process's memory too.
  loadNative().forbidCoreDumps();
  const [data] = (await once(process, 'message')) as [FuseThreadData];
  return {
    data,
    isProcess: true,
    say: (message) => void send(message),
    listen: (receive) => void process.on('message', receive),
    close: () => process.disconnect(),
  };
}
