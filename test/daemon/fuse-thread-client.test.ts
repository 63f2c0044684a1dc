/** The real FUSE thread on a real store; a socket stands in for /dev/fuse, and the test for the kernel. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { GenerationId } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import type { ServedConnection } from '../../src/daemon/fuse-messages.ts';
import { FuseThread } from '../../src/daemon/fuse-thread-client.ts';
import { TAKEOVER_MEMORY_BYTES } from '../../src/daemon/takeover-memory.ts';
import { type Feature, INIT_FLAG, OPCODE } from '../../src/fuse/abi.ts';
import type { NegotiatedRecord } from '../../src/fuse/init.ts';
import { JOURNAL_BYTES } from '../../src/fuse/request-journal.ts';
import { loadNative } from '../../src/native/load.ts';
import { newCommitChain } from '../../src/store/commit-chain.ts';
import { SealingKey } from '../../src/store/sealing-key.ts';
import { Store } from '../../src/store/store.ts';
import { initBody } from '../fuse/fake-connection.ts';
import { requestBytes, text } from '../fuse/request-bytes.ts';
import { CatalogScene } from '../projection/helpers/catalog-scene.ts';
import { makeStateDirectory } from '../store/state-directory.ts';

const ANSWER_MS_MAX = 10_000;
const INIT = requestBytes({ opcode: OPCODE.INIT, unique: 2n, body: initBody(Object.keys(INIT_FLAG) as Feature[], 45) });
const native = loadNative();

interface Served {
  readonly thread: FuseThread;
  readonly ended: Promise<readonly [ServedConnection, number]>;
  readonly failed: Promise<Error>;
  readonly forgotten: Promise<GenerationId>;
}

function defer<T>(): readonly [Promise<T>, (value: T) => void] {
  let settle: (value: T) => void = () => undefined;
  const promise = new Promise<T>((resolve) => {
    settle = resolve;
  });
  return [promise, settle];
}

async function startThread(t: TestContext, stateDir: string): Promise<Served> {
  const memoryDescriptor = native.createMemfd('test-memory', TAKEOVER_MEMORY_BYTES);
  t.after(() => native.closeDescriptor(memoryDescriptor));
  const key = SealingKey.fromBytes(randomBytes(32)).share();
  t.after(key.release);
  const [ended, onEnded] = defer<readonly [ServedConnection, number]>();
  const [failed, onFailed] = defer<Error>();
  const [forgotten, onForgotten] = defer<GenerationId>();
  const data = {
    stateDir,
    memoryDescriptor,
    sealingKeyDescriptor: key.descriptor,
    sealingKeyPath: '/nonexistent',
    commitChain: newCommitChain(),
    deviceFolder: '/nonexistent',
  };
  const thread = await FuseThread.start(
    { ...data, resumed: false, uid: 0, gid: 0, graceMs: 0 },
    { log: silentLog, onForgotten, onEnded: (name, errno) => onEnded([name, errno]), onFailed },
  );
  t.after(() => thread.close());
  return { thread, ended, failed, forgotten };
}

/** A connection on a socket: `device` is the thread's end, `peer` the kernel's. */
function makeDevice(t: TestContext): { readonly device: number; readonly peer: number; hangUp(): void } {
  const [device, peer] = native.socketPair('seqpacket');
  let isOpen = true;
  const hangUp = (): void => {
    if (isOpen) native.closeDescriptor(peer);
    isOpen = false;
  };
  t.after(() => {
    hangUp();
    native.closeDescriptor(device);
  });
  return { device, peer, hangUp };
}

/** The next reply: its request's number and its errno. */
function receive(peer: number, waitMs = ANSWER_MS_MAX): { readonly unique: bigint; readonly errno: number } {
  const { data } = native.receiveMessage(peer, 65_536, waitMs);
  return { unique: data.readBigUInt64LE(8), errno: Math.abs(data.readInt32LE(4)) };
}

const send = (peer: number, request: Uint8Array): void => native.sendMessage(peer, request, []);
const lookup = (name: string, unique: bigint): Buffer =>
  requestBytes({ opcode: OPCODE.LOOKUP, unique, body: [text(name)] });

async function serve(
  thread: FuseThread,
  name: ServedConnection,
  device: number,
  peer: number,
): Promise<NegotiatedRecord> {
  send(peer, INIT);
  const record = await thread.serve(name, device);
  thread.kept(name);
  assert.deepEqual(receive(peer), { unique: 2n, errno: 0 });
  return record;
}

test('FuseThread: the kernel gets its INIT reply only when the record was kept', async (t) => {
  const { thread } = await startThread(t, makeStateDirectory(t));
  const { device, peer } = makeDevice(t);
  send(peer, INIT);
  const record = await thread.serve('projections', device);
  assert.deepEqual([record.major, record.minor, record.profile], [7, 45, 'projections']);
  await thread.statistics();
  assert.throws(() => receive(peer, 0), { code: 'ETIMEDOUT' });
  thread.kept('projections');
  assert.deepEqual(receive(peer), { unique: 2n, errno: 0 });
});

test('FuseThread: serves both connections, each with its own file system, and counts for each', async (t) => {
  const { thread } = await startThread(t, makeStateDirectory(t));
  const [root, projections] = [makeDevice(t), makeDevice(t)];
  await serve(thread, 'root', root.device, root.peer);
  await serve(thread, 'projections', projections.device, projections.peer);
  send(root.peer, lookup('projections', 4n));
  assert.deepEqual(receive(root.peer), { unique: 4n, errno: 0 });
  send(projections.peer, requestBytes({ opcode: OPCODE.GETATTR, unique: 6n, nodeId: 4711, body: [] }));
  assert.equal(receive(projections.peer).unique, 6n);
  const statistics = await thread.statistics();
  assert.deepEqual(
    statistics.map(({ name, requests, unanswered }) => [name, requests, unanswered]),
    [
      ['root', 2, 0],
      ['projections', 2, 0],
    ],
  );
});

test('FuseThread: what an earlier daemon left in the journal is answered when the connection is served', async (t) => {
  const { thread } = await startThread(t, makeStateDirectory(t));
  const first = makeDevice(t);
  const { features, ...record } = await serve(thread, 'root', first.device, first.peer);
  const resume = { ...record, features: features.filter((feature) => feature !== 'HAS_RESEND') };
  const journal = native.createMemfd('test-journal', JOURNAL_BYTES);
  t.after(() => native.closeDescriptor(journal));
  new Uint8Array(native.mapShared(journal, JOURNAL_BYTES)).set(lookup('projections', 8n));
  const { device, peer } = makeDevice(t);
  await thread.serve('root', device, resume, journal);
  assert.deepEqual(receive(peer, 0), { unique: 8n, errno: 0 });
  assert.throws(() => receive(peer, 0), { code: 'ETIMEDOUT' });
});

test('FuseThread: a connection with the record of an earlier daemon is served without INIT', async (t) => {
  const { thread } = await startThread(t, makeStateDirectory(t));
  const first = makeDevice(t);
  const record = await serve(thread, 'root', first.device, first.peer);
  const { device, peer } = makeDevice(t);
  assert.deepEqual(await thread.serve('root', device, record), record);
  send(peer, lookup('projections', 8n));
  assert.deepEqual(receive(peer), { unique: 8n, errno: 0 });
});

test('FuseThread: tells which connection ended', async (t) => {
  const { thread, ended } = await startThread(t, makeStateDirectory(t));
  const { device, peer, hangUp } = makeDevice(t);
  await serve(thread, 'root', device, peer);
  hangUp();
  const [name, errno] = await ended;
  assert.equal(name, 'root');
  assert.ok(Object.values(constants.errno).includes(errno as never), `${errno} is an errno`);
});

test('FuseThread: what is committed on this thread is seen there, and a dropped generation comes back as forgotten', async (t) => {
  const scene = new CatalogScene(t);
  const { thread, forgotten } = await startThread(t, scene.stateDir);
  const { device, peer } = makeDevice(t);
  await serve(thread, 'projections', device, peer);
  const id = scene.create('web');
  const replaced = await scene.write(id, { a: '1' });
  await scene.write(id, { a: '2' });
  send(peer, lookup('web', 4n));
  assert.deepEqual(receive(peer), { unique: 4n, errno: 0 });
  thread.dropped([replaced]);
  assert.equal(await forgotten, replaced);
});

test('FuseThread.start: rejects if the thread cannot open what it needs, and tells it once', async (t) => {
  const stateDir = makeStateDirectory(t);
  const store = Store.open({ stateDir, log: silentLog });
  await store.close();
  writeFileSync(join(stateDir, 'metadata/data.mdb'), 'not a data file');
  const failures: Error[] = [];
  const memory = native.createMemfd('test-memory', TAKEOVER_MEMORY_BYTES);
  t.after(() => native.closeDescriptor(memory));
  const key = SealingKey.fromBytes(randomBytes(32)).share();
  t.after(key.release);
  const data = {
    stateDir,
    memoryDescriptor: memory,
    sealingKeyDescriptor: key.descriptor,
    sealingKeyPath: '/nonexistent',
    commitChain: newCommitChain(),
    deviceFolder: '/nonexistent',
  };
  const events = { log: silentLog, onForgotten() {}, onEnded() {}, onFailed: (error: Error) => failures.push(error) };
  await assert.rejects(FuseThread.start({ ...data, resumed: false, uid: 0, gid: 0, graceMs: 0 }, events), {
    message: /data\.mdb|metadata/,
  });
  assert.equal(failures.length, 1);
});

test('FuseThread.close: leaves the devices open, and may be called again', async (t) => {
  const { thread } = await startThread(t, makeStateDirectory(t));
  const { device, peer } = makeDevice(t);
  await serve(thread, 'root', device, peer);
  await thread.close();
  await thread.close();
  send(peer, lookup('projections', 4n));
  assert.throws(() => receive(peer, 0), { code: 'ETIMEDOUT' });
  const { thread: next } = await startThread(t, makeStateDirectory(t));
  const record = { ...(await recordOf(next, t)), profile: 'root' } as const;
  await next.serve('root', device, record);
  assert.deepEqual(receive(peer), { unique: 4n, errno: 0 });
});

/** A record as INIT makes it, from a connection of its own. */
async function recordOf(thread: FuseThread, t: TestContext): Promise<NegotiatedRecord> {
  const { device, peer } = makeDevice(t);
  return await serve(thread, 'root', device, peer);
}
