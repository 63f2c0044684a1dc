/**
 * Child process of test/kernel/native-channel.test.ts: it serves and holds /dev/fuse, so that what hangs hangs here.
 * Arguments: scene, mount point. Prints one JSON object.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { mountFuse, unmount } from '../../../src/mounts/fuse-mount.ts';
import { loadNative } from '../../../src/native/load.ts';
import { MinimalServer, OPCODE } from './minimal-server.ts';

const native = loadNative();
const collect = (globalThis as { gc?: () => void }).gc as () => void;
const openCount = (): number => readdirSync('/proc/self/fd').length;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const mount = async (target: string): Promise<number> =>
  (await mountFuse({ target, source: 'dunnage', subtype: 'dunnage', rootMode: 0o755, allowOther: true })).device;

/** Mounts, answers INIT, has another process unmount or does it itself, waits for the end. Returns the errno of it. */
async function round(target: string, outside: boolean): Promise<number> {
  const device = await mount(target);
  let server: MinimalServer | undefined;
  const errno = await new Promise<number>((resolve, reject) => {
    server = new MinimalServer({
      device,
      onInit: () => {
        server?.invalidateEntry('x');
        if (outside) spawn('umount', [target], { stdio: 'inherit' });
        else unmount(target, { detach: false }).catch(reject);
      },
      onEnd: resolve,
    });
    server.channel.start();
  });
  await server?.channel.close();
  native.closeDescriptor(device);
  return errno;
}

async function rounds(target: string): Promise<unknown> {
  const errnos = new Set<number>();
  const run = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index++) {
      errnos.add(await round(target, index % 100 === 0));
      if (index % 20 === 0) await turn().then(collect);
    }
    await turn();
    collect();
    await turn();
  };
  await run(200);
  const measured = [{ descriptors: openCount(), residentBytes: residentBytes() }];
  for (let quarter = 0; quarter < 4; quarter++) {
    await run(250);
    measured.push({ descriptors: openCount(), residentBytes: residentBytes() });
  }
  return { measured, errnos: [...errnos] };
}

/** State D of proc(5): of all threads here only a notifier that waits for a directory's lock gets into it. */
const someThreadWaitsInKernel = (): boolean =>
  readdirSync('/proc/self/task').some((thread) => /\) D /.test(readFileSync(`/proc/self/task/${thread}/stat`, 'utf8')));

/** A client holds the lock of the root directory while its MKDIR stays open; a notification for that directory waits. */
interface Blocked {
  readonly device: number;
  readonly server: MinimalServer;
  readonly unique: bigint;
}

async function blockNotifier(device: number, onServing: () => void): Promise<Blocked> {
  const open: { server?: MinimalServer } = {};
  const unique = await new Promise<bigint>((resolve) => {
    const server = new MinimalServer({
      device,
      answer: (request) => {
        if (request.opcode !== OPCODE.mkdir) return 2;
        resolve(request.unique);
        return undefined;
      },
      onInit: onServing,
    });
    open.server = server;
    server.channel.start();
  });
  const server = open.server as MinimalServer;
  server.invalidateEntry('other');
  server.invalidateEntry('another');
  while (!someThreadWaitsInKernel()) await turn();
  return { device, server, unique };
}

function startClient(target: string): Promise<unknown> {
  const client = spawn('mkdir', [`${target}/made`], { stdio: ['ignore', 'ignore', 'pipe'] });
  return once(client, 'close');
}

async function closeWhileBlocked(target: string): Promise<unknown> {
  // libuv opens a few descriptors for good with the first child.
  await once(spawn('true'), 'close');
  const descriptorsBefore = openCount();
  const device = await mount(target);
  let client: Promise<unknown> | undefined;
  const { server, unique } = await blockNotifier(device, () => {
    client = startClient(target);
  });
  const pending = server.channel.notifierStatus().pending;
  await server.channel.close();
  const pendingAfter = server.channel.notifierStatus().pending;
  const successor = new MinimalServer({ device });
  const sent = successor.reply(unique, 1);
  const [exitCode] = (await client) as [number];
  await successor.channel.close();
  await unmount(target, { detach: false });
  native.closeDescriptor(device);
  // The notifier's thread ends by itself, a moment after its write did.
  for (let tries = 0; tries < 1000 && openCount() > descriptorsBefore; tries++) await turn();
  return { pending, pendingAfter, sent, exitCode, descriptorsLeft: openCount() - descriptorsBefore };
}

async function terminateWhileBlocked(target: string): Promise<unknown> {
  const device = await mount(target);
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { device } });
  const client = new Promise<Promise<unknown>>((resolve) => {
    worker.on('message', (message: unknown) => {
      if (message === 'ready for a client') resolve(startClient(target));
    });
  });
  const unique = await new Promise<bigint>((resolve) => {
    worker.on('message', (message: unknown) => {
      if (typeof message === 'bigint') resolve(message);
    });
  });
  const exitCode = await worker.terminate();
  const successor = new MinimalServer({ device });
  const sent = successor.reply(unique, 1);
  const [clientCode] = (await await client) as [number];
  await successor.channel.close();
  await unmount(target, { detach: false });
  native.closeDescriptor(device);
  return { exitCode, sent, clientCode };
}

if (isMainThread) {
  const [, , scene, target = ''] = process.argv;
  const scenes = { rounds, closeWhileBlocked, terminateWhileBlocked };
  console.log(JSON.stringify(await scenes[scene as keyof typeof scenes](target)));
} else {
  const { device } = workerData as { device: number };
  const { unique } = await blockNotifier(device, () => parentPort?.postMessage('ready for a client'));
  parentPort?.postMessage(unique);
}

/** What is in use, not what the collector has yet to take. */
function residentBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage.rss();
}
