import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { silentLog } from '../../src/base/log.ts';
import { bytesValue, numberKey } from '../../src/store/codecs.ts';
import { firstSlot, readBootId, SERVING_PROCESS } from '../../src/store/durable-root.ts';
import { Store } from '../../src/store/store.ts';
import { makeStateDirectory, openStore } from './state-directory.ts';

/**
 * Power failures are simulated: of every page written since the last flush, the disk has the old or the new bytes, as
 * chance has it. The kernel promises no more than that.
 */
const PAGE_BYTES = 4096;
const BEFORE = 'before00-0000-0000-0000-000000000000';
const AFTER = 'after000-0000-0000-0000-000000000000';

interface Disk {
  readonly data: Buffer;
  readonly root: Buffer;
}

function readDisk(stateDir: string): Disk {
  const read = (name: string): Buffer => readFileSync(join(stateDir, 'metadata', name));
  return { data: read('data.mdb'), root: read('durable-root') };
}

function tear(old: Buffer, recent: Buffer, chance: () => boolean): Buffer {
  const torn = Buffer.alloc(recent.length);
  for (let start = 0; start < recent.length; start += PAGE_BYTES) {
    const source = chance() ? recent : old;
    if (start < source.length) source.copy(torn, start, start, start + PAGE_BYTES);
  }
  // The new length of the file may not have arrived either.
  return chance() ? torn : torn.subarray(0, old.length);
}

/** A small pseudo-random sequence, so that fast-check can repeat a failure from its seed. */
function coin(seed: number): () => boolean {
  let state = seed | 1;
  return () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5;
    return ((state >>> 13) & 1) === 1;
  };
}

/** What a process leaves that is killed now, while the host runs on. */
function killedCopy(t: TestContext, stateDir: string): string {
  const copy = makeStateDirectory(t);
  cpSync(stateDir, copy, { recursive: true });
  return copy;
}

type Content = ReadonlyMap<number, string>;

async function contentOf(stateDir: string): Promise<Content> {
  const store = Store.open({ stateDir, log: silentLog, bootId: AFTER });
  try {
    const table = store.table('numbers', numberKey, bytesValue);
    const content = new Map([...table.range({})].map(({ key, value }) => [key, Buffer.from(value).toString('latin1')]));
    assert.equal(table.count(), content.size);
    // The recovered environment must also take new commits.
    for (let key = 0; key < 20; key += 1) store.transactBuffered(() => table.put(1000 + key, Buffer.alloc(2000)));
    assert.equal(table.count(), content.size + 20);
    return content;
  } finally {
    await store.close();
  }
}

const change = fc.record({
  durable: fc.boolean(),
  removes: fc.boolean(),
  first: fc.nat(60),
  count: fc.integer({ min: 1, max: 25 }),
  sizeBytes: fc.constantFrom(0, 10, 700, 3000, 9000),
});

test('whatever part of the page cache reached the disk, the last durable commit is whole and the newest', async (t) => {
  const base = makeStateDirectory(t);
  let image = 0;
  let recovered = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 25 }), fc.integer(), async (changes, seed) => {
      image += 1;
      const stateDir = join(base, String(image));
      const torn = join(base, `${image}-torn`);
      const store = Store.open({ stateDir, log: silentLog, bootId: BEFORE });
      const table = store.table('numbers', numberKey, bytesValue);
      const content = new Map<number, string>();
      await store.flush();
      let durable: Content = new Map();
      let disk = readDisk(stateDir);
      const chance = coin(seed);
      for (const { durable: isDurable, removes, first, count, sizeBytes } of changes) {
        const action = (): void => {
          for (let key = first; key < first + count; key += 1) {
            const value = Buffer.alloc(sizeBytes, key + sizeBytes + content.size);
            if (removes) table.remove(key);
            else table.put(key, value);
            if (removes) content.delete(key);
            else content.set(key, value.toString('latin1'));
          }
        };
        if (isDurable) {
          await store.transactDurable(action);
          durable = new Map(content);
          disk = readDisk(stateDir);
        } else store.transactBuffered(action);
      }
      const newest = readDisk(stateDir);
      assert.deepEqual(newest.root, disk.root, 'only a flush writes a root');
      mkdirSync(join(torn, 'metadata'), { recursive: true });
      writeFileSync(join(torn, 'metadata', 'data.mdb'), tear(disk.data, newest.data, chance));
      writeFileSync(join(torn, 'metadata', 'durable-root'), disk.root);
      const after = await contentOf(torn);
      assert.deepEqual(after, durable);
      if (!newest.data.equals(disk.data)) recovered += 1;
      await store.close();
      for (const directory of [stateDir, torn]) rmSync(directory, { recursive: true });
    }),
    { numRuns: 60, includeErrorInReport: true },
  );
  assert(recovered > 10, 'most images really were torn');
});

test('power that fails within a flush leaves the commit before or the flushed one', async (t) => {
  const base = makeStateDirectory(t);
  for (let seed = 0; seed < 30; seed += 1) {
    const stateDir = join(base, String(seed));
    const store = Store.open({ stateDir, log: silentLog, bootId: BEFORE });
    const table = store.table('numbers', numberKey, bytesValue);
    for (let commit = 0; commit < 1 + (seed % 4); commit += 1)
      await store.transactDurable(() => table.put(1, Buffer.from('old')));
    const old = readDisk(stateDir);
    await store.transactDurable(() => table.put(1, Buffer.from('new')));
    const recent = readDisk(stateDir);
    await store.close();
    const chance = coin(seed * 7919);
    // The root is written after the data is on disk; half a root is no root.
    const isRootWhole = chance();
    const data = isRootWhole ? recent.data : tear(old.data, recent.data, chance);
    const root = Buffer.from(old.root);
    for (let start = 0; start < root.length; start += PAGE_BYTES)
      recent.root.copy(root, start, start, start + (isRootWhole ? PAGE_BYTES : 70));
    const torn = join(base, `${seed}-torn`);
    mkdirSync(join(torn, 'metadata'), { recursive: true });
    writeFileSync(join(torn, 'metadata', 'data.mdb'), data);
    writeFileSync(join(torn, 'metadata', 'durable-root'), root);
    assert.deepEqual(await contentOf(torn), new Map([[1, isRootWhole ? 'new' : 'old']]));
  }
});

test('without a restart of the host buffered commits are kept, and become durable when the store opens', async (t) => {
  const stateDir = makeStateDirectory(t);
  const store = openStore(t, stateDir, { bootId: BEFORE });
  const table = store.table('numbers', numberKey, bytesValue);
  store.transactBuffered(() => table.put(1, Buffer.from('buffered')));
  const copy = killedCopy(t, stateDir);
  const again = openStore(t, copy, { bootId: BEFORE });
  assert.equal(again.table('numbers', numberKey, bytesValue).get(1)?.toString(), 'buffered');
  await again.close();
  const restarted = openStore(t, copy, { bootId: AFTER });
  assert.equal(restarted.table('numbers', numberKey, bytesValue).get(1)?.toString(), 'buffered');
});

test('after a clean end a restart of the host loses nothing', async (t) => {
  const stateDir = makeStateDirectory(t);
  const store = openStore(t, stateDir, { bootId: BEFORE });
  const table = store.table('numbers', numberKey, bytesValue);
  store.transactBuffered(() => table.put(1, Buffer.from('buffered')));
  await store.close();
  const restarted = openStore(t, stateDir, { bootId: AFTER });
  assert.equal(restarted.table('numbers', numberKey, bytesValue).get(1)?.toString(), 'buffered');
});

test('what is buffered outlives the death of the process also when an earlier kernel has flushed the commit before', async (t) => {
  const stateDir = makeStateDirectory(t);
  const first = openStore(t, stateDir, { bootId: BEFORE });
  await first.close();
  const restarted = openStore(t, stateDir, { bootId: AFTER });
  const table = restarted.table('numbers', numberKey, bytesValue);
  restarted.transactBuffered(() => table.put(1, Buffer.from('buffered')));
  const next = openStore(t, killedCopy(t, stateDir), { bootId: AFTER });
  assert.equal(next.table('numbers', numberKey, bytesValue).get(1)?.toString(), 'buffered');
});

test('going back is logged with the number of commits that were lost', async (t) => {
  const stateDir = makeStateDirectory(t);
  const store = openStore(t, stateDir, { bootId: BEFORE });
  const table = store.table('numbers', numberKey, bytesValue);
  await store.transactDurable(() => table.put(1, Buffer.from('durable')));
  for (let commit = 0; commit < 3; commit += 1) store.transactBuffered(() => table.put(1, Buffer.from('buffered')));
  const copy = makeStateDirectory(t);
  cpSync(stateDir, copy, { recursive: true });
  const warnings: unknown[] = [];
  const restarted = openStore(t, copy, {
    bootId: AFTER,
    log: { ...silentLog, warn: (fields) => warnings.push(fields) },
  });
  assert.equal(restarted.table('numbers', numberKey, bytesValue).get(1)?.toString(), 'durable');
  assert.deepEqual(warnings, [{ lost: 3 }]);
});

test('a first start that never became durable begins anew; roots that are all damaged are refused', async (t) => {
  const stateDir = makeStateDirectory(t);
  const store = openStore(t, stateDir, { bootId: BEFORE });
  await store.close();
  const metadata = join(stateDir, 'metadata');
  const sizeBytes = readFileSync(join(metadata, 'durable-root')).length;
  writeFileSync(join(metadata, 'data.mdb'), Buffer.alloc(5000, 'garbage'));
  writeFileSync(join(metadata, 'durable-root'), Buffer.alloc(sizeBytes));
  await openStore(t, stateDir, { bootId: AFTER }).close();
  writeFileSync(join(metadata, 'durable-root'), Buffer.alloc(sizeBytes, 'garbage'));
  assert.throws(() => Store.open({ stateDir, log: silentLog, bootId: AFTER }), { code: 'CORRUPT' });
  assert(existsSync(join(metadata, 'data.mdb')));
});

test('an environment without roots is taken as it is, and a reader refuses what was not recovered', async (t) => {
  const stateDir = makeStateDirectory(t);
  const store = openStore(t, stateDir, { bootId: BEFORE });
  const table = store.table('numbers', numberKey, bytesValue);
  await store.transactDurable(() => table.put(1, Buffer.from('durable')));
  store.transactBuffered(() => table.put(1, Buffer.from('buffered')));
  const [torn, rootless] = [makeStateDirectory(t), makeStateDirectory(t)];
  for (const copy of [torn, rootless]) cpSync(stateDir, copy, { recursive: true });
  assert.throws(() => Store.open({ stateDir: torn, log: silentLog, bootId: AFTER, readOnly: true }), {
    code: 'CORRUPT',
  });
  await openStore(t, torn, { bootId: AFTER }).close();
  const reader = openStore(t, torn, { bootId: AFTER, readOnly: true });
  assert.equal(reader.table('numbers', numberKey, bytesValue).get(1)?.toString(), 'durable');

  rmSync(join(rootless, 'metadata', 'durable-root'));
  const taken = openStore(t, rootless, { bootId: AFTER });
  assert.equal(taken.table('numbers', numberKey, bytesValue).get(1)?.toString(), 'buffered');
});

test('no two threads that may write at once share a slot', () => {
  const threads = [0, 1, 2, 7, 8, 14, 15, SERVING_PROCESS];
  assert.equal(new Set(threads.map(firstSlot)).size, threads.length);
});

test('readBootId is that of the running kernel', () => {
  assert.match(readBootId(), /^[0-9a-f-]{36}$/);
});
