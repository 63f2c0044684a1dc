/**
 * Mounts, serves, uses and unmounts a directory again and again in one process, then ends a worker that serves while it is used. Prints
 * JSON: descriptors and threads of the process after the first and after the last round.
 *
 * Arguments: a folder with `mnt`, `backing` and `orphans`, the number of rounds.
 */
import { strict as assert } from 'node:assert';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { silentLog } from '../../../src/base/log.ts';
import { LoopbackConnection, loopbackMemoryBytes } from '../../../src/fuse/loopback-connection.ts';
import { mountFuse } from '../../../src/mounts/fuse-mount.ts';
import { loadNative } from '../../../src/native/load.ts';

const run = promisify(execFile);
const { ENODEV } = (await import('node:os')).constants.errno;

interface Served {
  readonly connection: LoopbackConnection;
  readonly ended: Promise<number>;
  readonly descriptors: readonly number[];
}

async function serve(folder: string): Promise<Served> {
  const target = join(folder, 'mnt');
  const { device } = await mountFuse({
    target,
    source: 'dunnage',
    subtype: 'dunnage',
    rootMode: 0o755,
    allowOther: true,
  });
  const directory = (name: string): number => openSync(join(folder, name), constants.O_RDONLY | constants.O_DIRECTORY);
  const root = directory('backing');
  const orphans = directory('orphans');
  const memory = loadNative().createMemfd('allocs', loopbackMemoryBytes());
  let end: (errno: number) => void = () => undefined;
  const ended = new Promise<number>((resolve) => {
    end = resolve;
  });
  const connection = new LoopbackConnection({
    name: 'allocs',
    device,
    root,
    orphans,
    memory,
    log: silentLog,
    onInit: () => undefined,
    onEnd: end,
  });
  connection.start();
  await connection.served();
  return { connection, ended, descriptors: [device, root, orphans, memory] };
}

/** Files are made, read and removed by another process. */
async function use(folder: string): Promise<void> {
  const script = 'cd "$0" && mkdir d && echo content >d/f && cat d/f && ln d/f d/g && rm -r d';
  const { stdout } = await run('sh', ['-c', script, join(folder, 'mnt')]);
  assert.equal(stdout, 'content\n');
}

async function round(folder: string): Promise<void> {
  const { connection, ended, descriptors } = await serve(folder);
  await use(folder);
  loadNative().unmount(join(folder, 'mnt'), false);
  assert.equal(await ended, ENODEV);
  await connection.close();
  await connection.close();
  for (const descriptor of descriptors) closeSync(descriptor);
}

const count = (): { descriptors: number; threads: number } => ({
  descriptors: readdirSync('/proc/self/fd').length,
  threads: readdirSync('/proc/self/task').length,
});

async function main(folder: string, rounds: number): Promise<void> {
  await round(folder);
  const first = count();
  for (let index = 1; index < rounds; index += 1) await round(folder);
  const last = count();
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: folder });
  await once(worker, 'message');
  await use(folder);
  await worker.terminate();
  loadNative().unmount(join(folder, 'mnt'), true);
  process.stdout.write(JSON.stringify({ first, last }));
}

if (isMainThread) {
  await main(process.argv[2] ?? '', Number(process.argv[3]));
} else {
  await serve(workerData as string);
  parentPort?.postMessage('serving');
  // Until it is terminated.
  setInterval(() => undefined, 60_000);
}
