/** A daemon for tests: serves the sample file system until its parent ends. With `worker` a thread of its own serves. */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { type Commands, serveCommands, settings } from './child-side.ts';
import { SampleServer, type SampleSettings } from './sample-server.ts';

if (isMainThread) await main();
else await work();

async function main(): Promise<void> {
  const wanted = settings<SampleSettings>();
  if (wanted.worker) return mainOfWorker(wanted);
  const server = new SampleServer(wanted);
  await server.ready;
  serveCommands(server.commands, () => server.detach());
}

/** Passes every command on to the worker. */
async function mainOfWorker(wanted: SampleSettings): Promise<void> {
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: wanted });
  const [names] = (await once(worker, 'message')) as [string[]];
  const pending = new Map<number, (reply: { value?: unknown; error?: string }) => void>();
  worker.on('message', (reply: { id: number; value?: unknown; error?: string }) => pending.get(reply.id)?.(reply));
  const forward =
    (command: string): Commands[string] =>
    (fields) =>
      new Promise((resolve, reject) => {
        const id = Number(fields['id']);
        pending.set(id, ({ value, error }) => (error === undefined ? resolve(value) : reject(new Error(error))));
        worker.postMessage({ ...fields, command });
      });
  const commands = Object.fromEntries(names.map((name) => [name, forward(name)]));
  serveCommands({ ...commands, terminate: () => worker.terminate(), ping: () => 'pong' }, () => undefined);
}

async function work(): Promise<void> {
  const server = new SampleServer(workerData as SampleSettings);
  await server.ready;
  parentPort?.on('message', async (message: { id: number; command: string }) => {
    const { id, command } = message;
    try {
      parentPort?.postMessage({ id, value: await server.commands[command]?.(message as never) });
    } catch (error) {
      parentPort?.postMessage({ id, error: String(error) });
    }
  });
  parentPort?.postMessage(Object.keys(server.commands));
}
