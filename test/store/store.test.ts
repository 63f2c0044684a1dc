import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { silentLog } from '../../src/base/log.ts';
import { bytesValue, jsonValue, numberKey, stringKey } from '../../src/store/codecs.ts';
import { plainDigest } from '../../src/store/digest.ts';
import { Store } from '../../src/store/store.ts';
import type { WorkerRequest } from './programs/store-worker.ts';
import { filesBelow, makeStateDirectory, openStore } from './state-directory.ts';

const program = (name: string): string => fileURLToPath(new URL(`programs/${name}.js`, import.meta.url));

interface StoreWorker {
  ask(request: WorkerRequest): Promise<unknown>;
}

async function startWorker(
  t: TestContext,
  workerData: { stateDir: string; mapSizeBytes?: number },
): Promise<StoreWorker> {
  const worker = new Worker(program('store-worker'), { workerData });
  t.after(() => worker.terminate());
  const nextAnswer = async (): Promise<unknown> => {
    const [{ value, error }] = (await once(worker, 'message')) as [{ value?: unknown; error?: string }];
    if (error !== undefined) throw new Error(error);
    return value;
  };
  assert.equal(await nextAnswer(), 'ready');
  return {
    ask(request) {
      const answer = nextAnswer();
      worker.postMessage(request);
      return answer;
    },
  };
}

test('a transaction that throws leaves nothing, in any strength', async (t) => {
  const store = openStore(t, makeStateDirectory(t));
  const table = store.table('words', stringKey, jsonValue<string>());
  const fail = (): never => {
    table.put('a', '1');
    throw new RangeError('mine');
  };
  assert.throws(() => store.transactBuffered(fail), RangeError);
  assert.throws(() => store.transactDurableSync(fail), RangeError);
  await assert.rejects(store.transactDurable(fail), RangeError);
  assert.equal(table.count(), 0);
  assert.equal(store.inTransaction, false);
  assert.equal(
    store.transactBuffered(() => {
      table.put('b', '2');
      return 'result';
    }),
    'result',
  );
  assert.equal(table.get('b'), '2');
});

test('a transaction may neither wait nor contain another one', (t) => {
  const store = openStore(t, makeStateDirectory(t));
  const table = store.table('words', stringKey, jsonValue<string>());
  assert.throws(() => store.transactBuffered(async () => table.put('a', '1')), /must not wait/);
  assert.throws(
    () => store.transactBuffered(() => store.transactBuffered(() => table.put('a', '1'))),
    /inside another/,
  );
  assert.equal(table.get('a'), undefined);
});

test('afterCommit runs after the commit, and never for a transaction that was abandoned', (t) => {
  const store = openStore(t, makeStateDirectory(t));
  const table = store.table('words', stringKey, jsonValue<string>());
  const seen: string[] = [];
  store.transactBuffered(() => {
    table.put('a', '1');
    store.afterCommit(() => seen.push(`committed, in transaction: ${store.inTransaction}`));
    assert.deepEqual(seen, []);
  });
  assert.throws(() =>
    store.transactBuffered(() => {
      store.afterCommit(() => seen.push('abandoned'));
      throw new Error('abandon');
    }),
  );
  assert.deepEqual(seen, ['committed, in transaction: false']);
  assert.throws(() => store.afterCommit(() => undefined), /needs a transaction/);
});

test('the folder and its files are private, and sizeBytes is the size of the data file', (t) => {
  const stateDir = makeStateDirectory(t);
  const store = openStore(t, stateDir);
  assert.equal(statSync(join(stateDir, 'metadata')).mode & 0o777, 0o700);
  for (const path of filesBelow(stateDir)) assert.equal(statSync(path).mode & 0o077, 0, path);
  assert.equal(store.sizeBytes, statSync(join(stateDir, 'metadata', 'data.mdb')).size);
});

test('what was committed is there after close and open; close may be called twice', async (t) => {
  const stateDir = makeStateDirectory(t);
  const first = openStore(t, stateDir);
  const words = first.table('words', stringKey, jsonValue<string>());
  first.transactBuffered(() => words.put('a', '1'));
  await Promise.all([first.close(), first.close()]);
  const second = openStore(t, stateDir);
  assert.equal(second.table('words', stringKey, jsonValue<string>()).get('a'), '1');
});

test('a read-only store reads, refuses to write, and does not create anything', async (t) => {
  const stateDir = makeStateDirectory(t);
  assert.throws(() => Store.open({ stateDir, log: silentLog, readOnly: true }), { code: 'NOT_FOUND' });
  assert.deepEqual(filesBelow(stateDir), []);
  const writer = openStore(t, stateDir);
  const words = writer.table('words', stringKey, jsonValue<string>());
  writer.transactDurableSync(() => words.put('a', '1'));
  await writer.close();
  const reader = openStore(t, stateDir, { readOnly: true });
  assert.equal(reader.table('words', stringKey, jsonValue<string>()).get('a'), '1');
  assert.equal(reader.table('other', stringKey, jsonValue<string>()).get('a'), undefined);
  assert.deepEqual([...reader.table('other', stringKey, jsonValue<string>()).range({})], []);
  assert.equal(reader.table('other', stringKey, jsonValue<string>()).count(), 0);
  assert.throws(() => reader.transactBuffered(() => undefined), /read-only/);
});

test('a state directory that cannot be made is an error with the path in it', (t) => {
  const directory = makeStateDirectory(t);
  writeFileSync(join(directory, 'file'), '');
  assert.throws(() => Store.open({ stateDir: join(directory, 'file'), log: silentLog }), {
    code: 'NOT_A_DIRECTORY',
    message: /file/,
  });
});

test('a buffered commit survives the death of the process, half a transaction does not', (t) => {
  const stateDir = makeStateDirectory(t);
  const child = spawnSync(process.execPath, [program('kill-after-buffered'), stateDir], { timeout: 30_000 });
  assert.equal(child.signal, 'SIGKILL', child.stderr.toString());
  const words = openStore(t, stateDir).table('words', stringKey, jsonValue<string>());
  assert.equal(words.get('committed'), 'yes');
  assert.equal(words.get('uncommitted'), undefined);
});

test('two threads see the commits of each other', async (t) => {
  const stateDir = makeStateDirectory(t);
  const store = openStore(t, stateDir);
  const counters = store.table('counters', stringKey, jsonValue<number>());
  const worker = await startWorker(t, { stateDir });
  for (let round = 0; round < 50; round += 1) {
    store.transactBuffered(() => counters.put('main', round));
    assert.equal(await worker.ask({ kind: 'get', key: 'main' }), round);
    await worker.ask({ kind: 'put', key: 'worker', value: round, durable: round % 5 === 0 });
    store.refresh();
    assert.equal(counters.get('worker'), round);
  }
  await worker.ask({ kind: 'close' });
  store.transactBuffered(() => counters.put('main', 100));
  assert.equal(counters.get('main'), 100, 'the store goes on when the other thread has closed its own');
});

test('reads of one turn of the event loop agree with each other until refresh', async (t) => {
  const stateDir = makeStateDirectory(t);
  const store = openStore(t, stateDir);
  const counters = store.table('counters', stringKey, jsonValue<number>());
  const other = openStore(t, stateDir);
  const others = other.table('counters', stringKey, jsonValue<number>());
  assert.equal(counters.get('a'), undefined);
  other.transactBuffered(() => others.put('a', 1));
  assert.equal(counters.get('a'), undefined);
  store.refresh();
  assert.equal(counters.get('a'), 1);
});

test('transactions of two threads never interleave', async (t) => {
  const stateDir = makeStateDirectory(t);
  const store = openStore(t, stateDir);
  const counters = store.table('counters', stringKey, jsonValue<number>());
  const worker = await startWorker(t, { stateDir });
  const theirs = worker.ask({ kind: 'increment', times: 2000 });
  for (let time = 0; time < 2000; time += 1) {
    store.transactBuffered(() => counters.put('shared', (counters.get('shared') ?? 0) + 1));
    if (time % 10 === 0) await new Promise(setImmediate);
  }
  await theirs;
  store.refresh();
  assert.equal(counters.get('shared'), 4000);
});

test('the environment grows far beyond the first map, from both threads while both have it open', async (t) => {
  const stateDir = makeStateDirectory(t);
  const mapSizeBytes = 128 * 1024;
  const store = openStore(t, stateDir, { mapSizeBytes });
  const contents = store.table('contents', numberKey, bytesValue);
  const worker = await startWorker(t, { stateDir, mapSizeBytes });
  const sizeBytes = 100_000;
  const theirs = worker.ask({ kind: 'fill', first: 1000, count: 150, sizeBytes });
  for (let key = 0; key < 150; key += 1) {
    store.transactBuffered(() => contents.put(key, Buffer.alloc(sizeBytes, key)));
    // A reader that was there before the map grew.
    assert.equal(contents.get(0)?.length, sizeBytes);
    if (key % 4 === 0) await new Promise(setImmediate);
  }
  await theirs;
  assert(store.sizeBytes > 100 * mapSizeBytes);
  const expected = (first: number): string[] =>
    Array.from({ length: 150 }, (_, index) => plainDigest(Buffer.alloc(sizeBytes, first + index)).toString('hex'));
  assert.deepEqual(await worker.ask({ kind: 'digests', first: 0, count: 150 }), expected(0));
  store.refresh();
  for (let key = 1000; key < 1150; key += 1) assert.deepEqual(contents.get(key), Buffer.alloc(sizeBytes, key));
});

test('space of old commits is used again although both threads hold on to durable ones', async (t) => {
  const stateDir = makeStateDirectory(t);
  const store = openStore(t, stateDir);
  const numbers = store.table('numbers', numberKey, bytesValue);
  const worker = await startWorker(t, { stateDir });
  await worker.ask({ kind: 'put', key: 'a', value: 1, durable: true });
  // The worker is idle from here on; within seconds it lets go of its commit.
  const perRound: number[] = [];
  for (let round = 0; round < 200; round += 1) {
    const before = store.sizeBytes;
    for (let commit = 0; commit < 40; commit += 1)
      await store.transactDurable(() => numbers.put(commit, Buffer.alloc(3000)));
    perRound.push(store.sizeBytes - before);
    if (perRound.slice(-5).every((growth) => growth === 0) && perRound.length > 5) return;
  }
  assert.fail(`the file grew in every round: ${perRound.join(' ')}`);
});

test('a long run of buffered commits is flushed now and then, and its old space used again', async (t) => {
  const store = openStore(t, makeStateDirectory(t));
  const numbers = store.table('numbers', numberKey, bytesValue);
  const write = async (commits: number): Promise<number> => {
    for (let commit = 0; commit < commits; commit += 1) {
      store.transactBuffered(() => numbers.put(commit % 10, Buffer.alloc(3000)));
      if (commit % 20 === 0) await new Promise(setImmediate);
    }
    return store.sizeBytes;
  };
  const first = await write(6000);
  const second = await write(12_000);
  assert(second < first * 2, `${first} bytes after 6000 commits, ${second} after 18000`);
});

const isRoot = process.getuid?.() === 0;

test('a full disk refuses changes, loses nothing, and is over once there is space', {
  skip: isRoot ? false : 'needs root for a small tmpfs',
}, (t) => {
  const stateDir = makeStateDirectory(t);
  // The tmpfs is seen by the child alone and goes with it.
  const script =
    'mount -t tmpfs -o size=14m tmpfs "$1" && head -c 2097152 /dev/zero > "$1/ballast" && exec "$2" "$3" "$1"';
  const child = spawnSync(
    'unshare',
    ['-m', 'sh', '-c', script, 'sh', stateDir, process.execPath, program('full-disk')],
    { timeout: 60_000 },
  );
  assert.equal(child.status, 0, child.stderr.toString());
  const outcome = { codes: ['NO_SPACE', 'NO_SPACE', 'NO_SPACE'], lost: 0, after: 1, isWhole: true };
  assert.deepEqual(JSON.parse(child.stdout.toString()), outcome);
});

test('a state directory may exist before, with anything else in it', (t) => {
  const stateDir = makeStateDirectory(t);
  mkdirSync(join(stateDir, 'metadata'), { mode: 0o755 });
  openStore(t, stateDir);
  assert.equal(statSync(join(stateDir, 'metadata')).mode & 0o777, 0o700);
});
