/** dunnage-holder: its protocol with plain files, and what it does with real mounts when nobody comes back. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findMount } from '../../src/mounts/mount-table.ts';
import { loadNative } from '../../src/native/load.ts';
import { holderProgramPath } from '../../src/native/programs.ts';
import { skipUnlessFuse } from '../native/helpers/fuse-available.ts';
import { MinimalServer, OPCODE } from '../native/helpers/minimal-server.ts';
import { mountsBeneath, waitingRequests } from './helpers/fuse-connections.ts';
import { untilEnded } from './helpers/process-end.ts';

const native = loadNative();
const skip = skipUnlessFuse();
const WAIT_MS = 15_000;
const LONG_SECONDS = 300;

class Peer {
  readonly socket: number;
  constructor(path: string) {
    this.socket = native.connectSeqpacket(path);
  }
  send(text: string, descriptors: readonly number[] = []): this {
    native.sendMessage(this.socket, Buffer.from(text), descriptors);
    return this;
  }
  receive(): { text: string; descriptors: number[] } {
    const { data, descriptors } = native.receiveMessage(this.socket, 8192, WAIT_MS);
    return { text: data.toString(), descriptors };
  }
  ask(text: string, descriptors: readonly number[] = []): string {
    return this.send(text, descriptors).receive().text;
  }
  close(): void {
    native.closeDescriptor(this.socket);
  }
}

interface Scene {
  readonly socketPath: string;
  readonly mountPoint: string;
  readonly holder: ChildProcess;
  readonly exited: Promise<unknown[]>;
}

async function startHolder(context: TestContext, timeoutSeconds: number): Promise<Scene> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'dunnage-holder-')));
  const [socketPath, mountPoint] = [join(folder, 'socket'), join(folder, 'mnt')];
  mkdirSync(mountPoint);
  const holder = spawn(holderProgramPath(), [socketPath, String(timeoutSeconds), mountPoint], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(holder, 'exit');
  context.after(async () => {
    holder.kill('SIGKILL');
    await exited;
    if ((await findMount(mountPoint)) !== undefined) native.unmount(mountPoint, true);
    rmSync(folder, { recursive: true, force: true });
  });
  // The end of its output means that it listens.
  holder.stdout?.resume();
  await once(holder.stdout as NonNullable<typeof holder.stdout>, 'end');
  return { socketPath, mountPoint, holder, exited };
}

async function startDaemon(context: TestContext, scene: Scene): Promise<ChildProcess> {
  const module = fileURLToPath(new URL('../native/helpers/held-daemon.js', import.meta.url));
  const daemon = spawn(process.execPath, [module, scene.mountPoint, scene.socketPath], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  context.after(() => daemon.kill('SIGKILL'));
  const [line] = (await once(daemon.stdout, 'data')) as [Buffer];
  assert.equal(line.toString().trim(), 'ready');
  return daemon;
}

async function kill(daemon: ChildProcess): Promise<void> {
  const exited = once(daemon, 'exit');
  daemon.kill('SIGKILL');
  await exited;
}

test('the holder gives back every descriptor with its name and record, the newest of each name', async (context) => {
  const { socketPath, holder } = await startHolder(context, LONG_SECONDS);
  const [first, second] = [openSync('/dev/null', 'r'), openSync('/dev/zero', 'r')];
  const record = 'r'.repeat(4096);
  const daemon = new Peer(socketPath);
  assert.equal(daemon.ask('A'), `a${holder.pid}`);
  assert.equal(daemon.ask('Pone\0old', [first]), 'p');
  assert.equal(daemon.ask(`Pone\0${record}`, [second]), 'p');
  assert.equal(daemon.ask('Ptwo\0', [first]), 'p');
  daemon.close();

  const next = new Peer(socketPath);
  assert.equal(next.ask('A'), `a${holder.pid}`);
  next.send('G');
  const entries = [next.receive(), next.receive()];
  assert.deepEqual(next.receive(), { text: 'z', descriptors: [] });
  assert.deepEqual(
    entries.map(({ text }) => text),
    [`eone\0${record}`, 'etwo\0'],
  );
  const devices = entries.map(({ descriptors }) => fstatSync(descriptors[0] as number).rdev);
  assert.deepEqual(devices, [fstatSync(second).rdev, fstatSync(first).rdev]);
  for (const { descriptors } of entries) for (const descriptor of descriptors) native.closeDescriptor(descriptor);
  next.close();
});

test('only one daemon is attached at a time, and only it may put, get and release', async (context) => {
  const { socketPath, exited } = await startHolder(context, LONG_SECONDS);
  const daemon = new Peer(socketPath);
  daemon.ask('A');
  const other = new Peer(socketPath);
  assert.equal(other.ask('A'), `b${process.pid}`);
  for (const [message, descriptors] of [
    ['Pname\0', [0]],
    ['G', []],
    ['R', []],
    ['?', []],
  ] as const) {
    const intruder = new Peer(socketPath);
    assert.equal(intruder.ask(message, descriptors), '', `hung up on after ${message}`);
    intruder.close();
  }
  daemon.close();
  assert.match(other.ask('A'), /^a/);
  assert.equal(other.ask('R'), 'r');
  assert.deepEqual(await exited, [0, null]);
  other.close();
});

test('a daemon that attaches when the one before has hung up is not told that it is busy', async (context) => {
  const { socketPath, holder } = await startHolder(context, LONG_SECONDS);
  const daemon = new Peer(socketPath);
  assert.match(daemon.ask('A'), /^a/);
  const next = new Peer(socketPath);
  assert.match(next.ask('A'), /^b/);
  // Stopped, the holder sees both at once when it goes on.
  holder.kill('SIGSTOP');
  while (!/\) T /.test(readFileSync(`/proc/${holder.pid}/stat`, 'utf8'))) await new Promise((go) => setImmediate(go));
  daemon.close();
  next.send('A');
  holder.kill('SIGCONT');
  assert.equal(next.receive().text, `a${holder.pid}`);
  next.close();
});

/** Attaches, then ends its main thread only: as a daemon looks that was killed while a thread of it waits in the kernel. */
const HALF_DEAD = `
import ctypes, socket, sys, threading, time
peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
peer.connect(sys.argv[1])
peer.send(b'A')
threading.Thread(target=time.sleep, args=(600,)).start()
print(peer.recv(100).decode(), flush=True)
ctypes.CDLL(None).pthread_exit(None)
`;

async function attachHalfDead(context: TestContext, socketPath: string): Promise<void> {
  const child = spawn('python3', ['-c', HALF_DEAD, socketPath], { stdio: ['ignore', 'pipe', 'inherit'] });
  context.after(() => child.kill('SIGKILL'));
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  assert.match(line.toString(), /^a/);
  await untilEnded(child.pid as number);
}

test('a daemon that is dead but cannot hang up does not keep the next one out', async (context) => {
  const { socketPath, holder } = await startHolder(context, LONG_SECONDS);
  await attachHalfDead(context, socketPath);
  const next = new Peer(socketPath);
  assert.equal(next.ask('A'), `a${holder.pid}`);
  const third = new Peer(socketPath);
  assert.equal(third.ask('A'), `b${process.pid}`);
  for (const peer of [next, third]) peer.close();
});

test('the seconds count for a daemon that is dead but cannot hang up', async (context) => {
  const { socketPath, exited } = await startHolder(context, 1);
  await attachHalfDead(context, socketPath);
  assert.deepEqual(await exited, [0, null]);
});

test('a put without a descriptor, with two, or with too long a record is refused', async (context) => {
  const { socketPath } = await startHolder(context, LONG_SECONDS);
  for (const [message, descriptors] of [
    ['Pname\0', []],
    ['Pname\0', [0, 0]],
    ['Pname', [0]],
    ['P\0', [0]],
    [`Pn\0${'x'.repeat(4097)}`, [0]],
  ] as const) {
    const daemon = new Peer(socketPath);
    assert.match(daemon.ask('A'), /^a/);
    assert.equal(daemon.ask(message, descriptors), '');
    daemon.close();
  }
});

test('release closes everything and removes the socket', async (context) => {
  const { socketPath, exited } = await startHolder(context, LONG_SECONDS);
  assert.equal(statSync(socketPath).mode & 0o777, 0o600);
  const [held, witness] = native.socketPair('seqpacket');
  const daemon = new Peer(socketPath);
  daemon.ask('A');
  daemon.ask('Pend\0', [held]);
  native.closeDescriptor(held);
  assert.equal(daemon.ask('R'), 'r');
  assert.equal(native.receiveMessage(witness, 1, WAIT_MS).data.length, 0, 'the last owner is gone');
  assert.deepEqual(await exited, [0, null]);
  assert.equal(existsSync(socketPath), false);
  daemon.close();
  native.closeDescriptor(witness);
});

test('a holder that nobody ever attaches to ends by itself', async (context) => {
  const { exited, socketPath } = await startHolder(context, 0);
  assert.deepEqual(await exited, [0, null]);
  assert.equal(existsSync(socketPath), false);
});

test('a second holder leaves the first one alone, and takes over the socket of a dead one', async (context) => {
  const { socketPath, mountPoint, holder, exited } = await startHolder(context, LONG_SECONDS);
  const second = spawn(holderProgramPath(), [socketPath, '1', mountPoint], { stdio: ['ignore', 'ignore', 'pipe'] });
  const [[code], [words]] = (await Promise.all([once(second, 'exit'), once(second.stderr, 'data')])) as [
    [number],
    [Buffer],
  ];
  assert.equal(code, 2);
  assert.match(words.toString(), /Address already in use/);
  const daemon = new Peer(socketPath);
  assert.match(daemon.ask('A'), /^a/);
  daemon.close();

  holder.kill('SIGKILL');
  await exited;
  const heir = spawn(holderProgramPath(), [socketPath, '0', mountPoint], { stdio: 'ignore' });
  assert.deepEqual(await once(heir, 'exit'), [0, null]);
});

test('the holder is a process of its own: session, directory, signals, descriptors', async (context) => {
  const { socketPath, holder } = await startHolder(context, LONG_SECONDS);
  const pid = holder.pid as number;
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  assert.equal(Number(fields[3]), pid, 'leader of its session');
  assert.equal(realpathSync(`/proc/${pid}/cwd`), '/');
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGPIPE'] as const) holder.kill(signal);
  const daemon = new Peer(socketPath);
  assert.equal(daemon.ask('A'), `a${pid}`);
  // stdin, stdout and stderr, the listening socket, the signals, and the connection.
  assert.equal(readdirSync(`/proc/${pid}/fd`).length, 6);
  daemon.close();
});

test('callers wait through the death of a daemon, and the next one answers them', { skip }, async (context) => {
  const scene = await startHolder(context, LONG_SECONDS);
  await kill(await startDaemon(context, scene));
  const client = spawn('mkdir', [join(scene.mountPoint, 'made')], { stdio: 'ignore' });
  const clientExited = once(client, 'exit');

  const next = new Peer(scene.socketPath);
  assert.match(next.ask('A'), /^a/);
  next.send('G');
  const { text, descriptors } = next.receive();
  assert.equal(text, 'eroot\0recorded');
  assert.equal(next.receive().text, 'z');
  const device = descriptors[0] as number;
  const ended = new Promise<number>((resolve) => {
    const server: MinimalServer = new MinimalServer({
      device,
      answer: ({ opcode }) => (opcode === OPCODE.mkdir ? 28 : 2),
      onEnd: resolve,
    });
    server.channel.start();
    context.after(() => server.channel.close());
  });
  assert.deepEqual(await clientExited, [1, null]);
  native.unmount(scene.mountPoint, false);
  assert.equal(await ended, 19);
  assert.equal(next.ask('R'), 'r');
  assert.deepEqual(await scene.exited, [0, null]);
  native.closeDescriptor(device);
  next.close();
});

/** A caller is blocked in the kernel: what happens next happens to it. */
async function untilSomebodyWaits(mountPoint: string): Promise<void> {
  const [mount] = await mountsBeneath(mountPoint);
  assert.ok(mount !== undefined);
  while ((await waitingRequests(mount.minor)) === 0) await pause(5);
}

for (const [name, timeoutSeconds, cause] of [
  ['nobody comes back in time', 1, (): void => undefined],
  ['SIGTERM', LONG_SECONDS, ({ holder }: Scene): void => void holder.kill('SIGTERM')],
  ['an abort', LONG_SECONDS, ({ socketPath }: Scene): void => assert.equal(new Peer(socketPath).ask('X'), 'x')],
] as const) {
  test(`callers are freed and the mount is gone after ${name}`, { skip }, async (context) => {
    const scene = await startHolder(context, timeoutSeconds);
    const daemon = await startDaemon(context, scene);
    // Left open by the daemon, so it waits for an answer when that dies.
    const client = spawn('mkdir', [join(scene.mountPoint, 'made')], { stdio: ['ignore', 'ignore', 'pipe'] });
    let words = '';
    client.stderr.setEncoding('utf8').on('data', (text: string) => {
      words += text;
    });
    const clientEnded = once(client, 'close');
    await untilSomebodyWaits(scene.mountPoint);
    await kill(daemon);
    assert.notEqual(await findMount(scene.mountPoint), undefined);
    cause(scene);
    assert.deepEqual(await scene.exited, [0, null]);
    assert.deepEqual(await clientEnded, [1, null]);
    assert.match(words, /connection abort|not connected|No such file/i);
    assert.equal(await findMount(scene.mountPoint), undefined);
    assert.equal(existsSync(scene.socketPath), false);
  });
}

test('an abort frees the callers of a daemon that hangs', { skip }, async (context) => {
  const scene = await startHolder(context, LONG_SECONDS);
  const daemon = await startDaemon(context, scene);
  daemon.kill('SIGSTOP');
  const client = spawn('mkdir', [join(scene.mountPoint, 'made')], { stdio: 'ignore' });
  const clientEnded = once(client, 'close');
  await untilSomebodyWaits(scene.mountPoint);
  assert.equal(new Peer(scene.socketPath).ask('X'), 'x');
  assert.deepEqual(await clientEnded, [1, null]);
  assert.deepEqual(await scene.exited, [0, null]);
  assert.equal(await findMount(scene.mountPoint), undefined);
});

test('the holder leaves a mount alone that is not a dunnage mount', { skip }, async (context) => {
  const { mountPoint, holder, exited } = await startHolder(context, LONG_SECONDS);
  native.bindMount('/proc', mountPoint, false);
  holder.kill('SIGTERM');
  assert.deepEqual(await exited, [0, null]);
  assert.equal((await findMount(mountPoint))?.type, 'proc');
});
