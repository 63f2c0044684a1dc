import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { silentLog } from '../../src/base/log.ts';
import { bytesValue, numberKey } from '../../src/store/codecs.ts';
import { newCommitChain } from '../../src/store/commit-chain.ts';
import {
  commitLogFile,
  EPOCH_BYTES,
  encodeLogSlot,
  LOG_BYTES,
  LOG_SLOT_BYTES,
  LOG_SLOTS,
  logOffsetBytes,
  NO_EPOCH,
  prepareCommitLog,
  readChain,
} from '../../src/store/commit-log.ts';
import { dataFile } from '../../src/store/environment.ts';
import { Store } from '../../src/store/store.ts';
import type { Table } from '../../src/store/table.ts';
import { makeStateDirectory } from './state-directory.ts';

const PAGE_BYTES = 4096;
const BEFORE = 'before00-0000-0000-0000-000000000000';
const AFTER = 'after000-0000-0000-0000-000000000000';
const LATER = 'later000-0000-0000-0000-000000000000';

// ---- the file

type Slot = readonly [base: bigint, epoch: Buffer, text: string, needed?: bigint, neededAhead?: boolean];

function logWith(t: TestContext, slots: readonly Slot[]): string {
  const path = join(makeStateDirectory(t), 'commit-log');
  prepareCommitLog(path);
  const bytes = readFileSync(path);
  for (const [base, epoch, text, commit = base, isAhead = false] of slots) {
    const record = { base, needed: { commit, isAhead }, epoch, bytes: Buffer.from(text) };
    bytes.set(encodeLogSlot(record) ?? [], logOffsetBytes(base));
  }
  writeFileSync(path, bytes);
  return path;
}

test('the chain goes from the root to the first record that is missing, torn or of another epoch', (t) => {
  const epoch = randomBytes(EPOCH_BYTES);
  const other = randomBytes(EPOCH_BYTES);
  const path = logWith(t, [
    [5n, epoch, 'six'],
    [6n, epoch, 'seven'],
    [7n, other, 'not this one'],
    [8n, epoch, 'nor this'],
  ]);
  const chain = (transaction: bigint, of: Buffer = epoch): string[] =>
    readChain(path, { transaction, epoch: of }).map(String);
  assert.deepEqual(chain(5n), ['six', 'seven']);
  assert.deepEqual(chain(6n), ['seven']);
  assert.deepEqual(chain(4n), []);
  assert.deepEqual(chain(5n, other), []);
  assert.deepEqual(chain(8n), ['nor this']);
  assert.deepEqual(chain(5n + BigInt(LOG_SLOTS)), [], 'the slot is the same, the record is not');
  assert.deepEqual(chain(5n, NO_EPOCH), []);
  for (const at of [0, 20, 50, 66, 74, 82, 86, 90]) {
    const bytes = readFileSync(path);
    const offset = logOffsetBytes(6n) + at;
    bytes.writeUInt8(bytes.readUInt8(offset) ^ 1, offset);
    const torn = logWith(t, []);
    writeFileSync(torn, bytes);
    assert.deepEqual(readChain(torn, { transaction: 5n, epoch }).map(String), ['six'], `byte ${at}`);
  }
});

test('the chain goes on over commits that are not needed, and not over one that is missing', (t) => {
  const epoch = randomBytes(EPOCH_BYTES);
  const path = logWith(t, [
    [5n, epoch, 'six'],
    [9n, epoch, 'ten', 6n],
    [12n, epoch, 'thirteen', 10n],
    [15n, epoch, 'lost', 14n],
    [20n, epoch, 'behind it', 16n],
  ]);
  const chain = (transaction: bigint): string[] => readChain(path, { transaction, epoch }).map(String);
  assert.deepEqual(chain(5n), ['six', 'ten', 'thirteen']);
  assert.deepEqual(chain(8n), ['ten', 'thirteen'], 'expendable ones before the root');
  assert.deepEqual(chain(4n), []);
  assert.deepEqual(chain(14n), ['lost', 'behind it']);
});

test('a full ring is one chain, and a record that does not fit has no slot', (t) => {
  const epoch = randomBytes(EPOCH_BYTES);
  const path = logWith(
    t,
    Array.from({ length: LOG_SLOTS }, (_, index) => [BigInt(index + 20), epoch, String(index)] as const),
  );
  assert.equal(readChain(path, { transaction: 20n, epoch }).length, LOG_SLOTS);
  const sized = (lengthBytes: number): Buffer | undefined =>
    encodeLogSlot({ base: 1n, needed: { commit: 1n, isAhead: false }, epoch, bytes: Buffer.alloc(lengthBytes) });
  assert.equal(sized(LOG_SLOT_BYTES), undefined);
  assert.equal(sized(10)?.length, PAGE_BYTES, 'whole pages');
});

test('a log that is there is kept, one of another size is made anew', (t) => {
  const epoch = randomBytes(EPOCH_BYTES);
  const path = logWith(t, [[1n, epoch, 'kept']]);
  prepareCommitLog(path);
  assert.equal(readChain(path, { transaction: 1n, epoch }).length, 1);
  writeFileSync(path, readFileSync(path).subarray(0, 5000));
  prepareCommitLog(path);
  assert.equal(readFileSync(path).length, LOG_BYTES);
});

// ---- recorded commits of a store

interface Change {
  readonly removes: boolean;
  readonly first: number;
  readonly count: number;
  readonly sizeBytes: number;
}

function apply(table: Table<number, Uint8Array>, { removes, first, count, sizeBytes }: Change): void {
  for (let key = first; key < first + count; key += 1) {
    if (removes) table.remove(key);
    else table.put(key, Buffer.alloc(sizeBytes, key + sizeBytes));
  }
  // Never an empty commit.
  table.put(0, Buffer.from(String(Number(Buffer.from(table.get(0) ?? '0').toString()) + 1)));
}

const numbers = (store: Store): Table<number, Uint8Array> => store.table('numbers', numberKey, bytesValue);
const record = (change: Change): Buffer => Buffer.from(JSON.stringify(change));
const redo = (store: Store, bytes: Uint8Array): void => {
  const table = numbers(store);
  store.transactBuffered(() => apply(table, JSON.parse(Buffer.from(bytes).toString()) as Change));
};

type Content = ReadonlyMap<number, string>;
const contentOf = (store: Store): Content =>
  new Map([...numbers(store).range({})].map(({ key, value }) => [key, Buffer.from(value).toString('latin1')]));

/** The content after a restart of the host, which must take new commits. */
async function contentAfter(stateDir: string, bootId: string): Promise<Content> {
  const store = Store.open({ stateDir, log: silentLog, bootId, redo, commitChain: newCommitChain() });
  try {
    const content = contentOf(store);
    const table = numbers(store);
    for (let key = 1000; key < 1020; key += 1) {
      const more = { removes: false, first: key, count: 1, sizeBytes: 2000 };
      await store.transactRecorded(() => apply(table, more), { record: () => record(more) }).durable;
    }
    assert.equal(table.count(), content.size + 20 + (content.has(0) ? 0 : 1));
    return content;
  } finally {
    await store.close();
  }
}

interface Disk {
  readonly data: Buffer;
  readonly root: Buffer;
  readonly log: Buffer;
}

function readDisk(stateDir: string): Disk {
  const read = (name: string): Buffer => readFileSync(join(stateDir, 'metadata', name));
  return { root: read('durable-root'), data: read('data.mdb'), log: read('commit-log') };
}

function writeDisk(stateDir: string, { data, root, log }: Disk): void {
  mkdirSync(join(stateDir, 'metadata'), { recursive: true });
  writeFileSync(join(stateDir, 'metadata', 'data.mdb'), data);
  writeFileSync(join(stateDir, 'metadata', 'durable-root'), root);
  writeFileSync(join(stateDir, 'metadata', 'commit-log'), log);
}

function coin(seed: number): () => boolean {
  let state = seed | 1;
  return () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5;
    return ((state >>> 13) & 1) === 1;
  };
}

/** Of every page written since the last flush the disk has the old or the new bytes, and perhaps the old length. */
function tear(old: Buffer, recent: Buffer, chance: () => boolean): Buffer {
  const torn = Buffer.alloc(recent.length);
  for (let start = 0; start < recent.length; start += PAGE_BYTES) {
    const source = chance() ? recent : old;
    if (start < source.length) source.copy(torn, start, start, start + PAGE_BYTES);
  }
  return chance() ? torn : torn.subarray(0, old.length);
}

const step = fc.record({
  strength: fc.constantFrom(
    ...([
      'recorded',
      'recorded',
      'recorded',
      'recorded',
      'expendable',
      'expendable',
      'buffered',
      'durable',
      'abandoned',
    ] as const),
  ),
  removes: fc.boolean(),
  first: fc.integer({ min: 1, max: 60 }),
  count: fc.integer({ min: 1, max: 25 }),
  sizeBytes: fc.constantFrom(0, 10, 700, 3000, 9000),
});

test('whatever part of the page cache reached the disk, every recorded commit is there, and what came before it', async (t) => {
  const base = makeStateDirectory(t);
  let image = 0;
  let redone = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60 }), fc.integer(), async (steps, seed) => {
      image += 1;
      const stateDir = join(base, String(image));
      const torn = join(base, `${image}-torn`);
      const store = Store.open({ stateDir, log: silentLog, bootId: BEFORE, commitChain: newCommitChain() });
      const table = numbers(store);
      const expendables = store.table('expendables', numberKey, bytesValue);
      await store.flush();
      let promised: Content = contentOf(store);
      let flushed = readDisk(stateDir);
      const chance = coin(seed);
      for (const { strength, ...change } of steps) {
        if (strength === 'buffered') store.transactBuffered(() => apply(table, change));
        else if (strength === 'expendable') store.transactExpendable(() => apply(expendables, change));
        else if (strength === 'durable') await store.transactDurable(() => apply(table, change));
        else if (strength === 'recorded') {
          await store.transactRecorded(() => apply(table, change), { record: () => record(change) }).durable;
        } else {
          const abandon = (): never => {
            apply(table, change);
            throw new Error('abandoned');
          };
          assert.throws(() => store.transactRecorded(abandon, { record: () => record(change) }), {
            message: 'abandoned',
          });
          await store.recordsSettled();
        }
        store.refresh();
        if (strength === 'durable' || strength === 'recorded') promised = contentOf(store);
        const disk = readDisk(stateDir);
        if (!disk.root.equals(flushed.root)) flushed = disk;
      }
      const newest = readDisk(stateDir);
      writeDisk(torn, { data: tear(flushed.data, newest.data, chance), root: flushed.root, log: newest.log });
      const isAhead = (await readChainOf(torn)).length > 0;
      if (isAhead) {
        redone += 1;
        assert.throws(() => Store.open({ stateDir: torn, log: silentLog, bootId: AFTER }), { code: 'CORRUPT' });
        assert.throws(() => Store.open({ stateDir: torn, log: silentLog, bootId: AFTER, readOnly: true }), {
          code: 'CORRUPT',
        });
      }
      assert.deepEqual(await contentAfter(torn, AFTER), promised);
      await store.close();
      for (const directory of [stateDir, torn]) rmSync(directory, { recursive: true });
    }),
    { numRuns: 40, includeErrorInReport: true },
  );
  assert(redone > 10, `most were saved by their records, not ${redone}`);
});

/** The records of any epoch behind the newest root: by what a restart would find. */
async function readChainOf(stateDir: string): Promise<readonly Uint8Array[]> {
  const found: Uint8Array[] = [];
  const copy = `${stateDir}-looked-at`;
  cpSync(stateDir, copy, { recursive: true });
  const collect = (store: Store, bytes: Uint8Array): void => {
    found.push(bytes);
    redo(store, bytes);
  };
  const store = Store.open({ stateDir: copy, log: silentLog, bootId: AFTER, redo: collect });
  await store.close();
  rmSync(copy, { recursive: true });
  return found;
}

const one = (key: number): Change => ({ removes: false, first: key, count: 1, sizeBytes: 100 });

test('power that fails while records are redone changes nothing: the next start does it again', async (t) => {
  const base = makeStateDirectory(t);
  const stateDir = join(base, 'state');
  const store = Store.open({ stateDir, log: silentLog, bootId: BEFORE, commitChain: newCommitChain() });
  const table = numbers(store);
  await store.flush();
  const flushed = readDisk(stateDir);
  for (let key = 1; key <= 5; key += 1) {
    await store.transactRecorded(() => apply(table, one(key)), { record: () => record(one(key)) }).durable;
  }
  const promised = contentOf(store);
  const recent = readDisk(stateDir);
  assert.deepEqual(recent.root, flushed.root, 'nothing was flushed');
  await store.close();
  for (let last = 1; last <= 5; last += 1) {
    const torn = join(base, `torn-${last}`);
    writeDisk(torn, { data: tear(flushed.data, recent.data, coin(last)), root: flushed.root, log: recent.log });
    const untouched = readDisk(torn);
    let done = 0;
    const failing = (again: Store, bytes: Uint8Array): void => {
      done += 1;
      redo(again, bytes);
      if (done === last) throw new Error('power fails here');
    };
    assert.throws(() => Store.open({ stateDir: torn, log: silentLog, bootId: AFTER, redo: failing }), {
      message: 'power fails here',
    });
    const failed = readDisk(torn);
    assert.deepEqual(failed.root, untouched.root);
    assert.deepEqual(failed.log, untouched.log);
    const again = join(base, `again-${last}`);
    writeDisk(again, { ...failed, data: tear(untouched.data, failed.data, coin(last * 31)) });
    assert.deepEqual(await contentAfter(again, LATER), promised);
  }
});

test('a record whose commit the daemon did not live to make is void at the next start, for good', async (t) => {
  const base = makeStateDirectory(t);
  const stateDir = join(base, 'state');
  const store = Store.open({ stateDir, log: silentLog, bootId: BEFORE, commitChain: newCommitChain() });
  const table = numbers(store);
  await store.transactDurable(() => apply(table, one(1)));
  const before = readDisk(stateDir);
  await store.transactRecorded(() => apply(table, one(2)), { record: () => record(one(2)) }).durable;
  const killed = join(base, 'killed');
  writeDisk(killed, { ...before, log: readDisk(stateDir).log });
  await store.close();
  // The host runs on: the page cache has no such commit.
  const next = Store.open({ stateDir: killed, log: silentLog, bootId: BEFORE, redo, commitChain: newCommitChain() });
  assert(!contentOf(next).has(2));
  next.transactBuffered(() => apply(numbers(next), one(3)));
  const crashed = join(base, 'crashed');
  writeDisk(crashed, readDisk(killed));
  await next.close();
  assert(!(await contentAfter(crashed, AFTER)).has(2));
});

test('one that power interrupts is there or not, and never half', async (t) => {
  const base = makeStateDirectory(t);
  const stateDir = join(base, 'state');
  const store = Store.open({ stateDir, log: silentLog, bootId: BEFORE, commitChain: newCommitChain() });
  const table = numbers(store);
  const big = { removes: false, first: 1, count: 20, sizeBytes: 3000 };
  await store.transactRecorded(() => apply(table, one(50)), { record: () => record(one(50)) }).durable;
  const old = readDisk(stateDir);
  const promised = contentOf(store);
  const long = Buffer.concat([record(big), Buffer.alloc(12_000, ' ')]);
  await store.transactRecorded(() => apply(table, big), { record: () => long }).durable;
  store.refresh();
  const whole = contentOf(store);
  const recent = readDisk(stateDir);
  await store.close();
  const seen = new Set<boolean>();
  for (let seed = 1; seed < 25; seed += 1) {
    const chance = coin(seed * 7919);
    const torn = join(base, `torn-${seed}`);
    writeDisk(torn, {
      data: tear(old.data, recent.data, chance),
      root: old.root,
      log: tear(old.log, recent.log, chance).subarray(0, old.log.length),
    });
    const after = await contentAfter(torn, AFTER);
    seen.add(after.size === whole.size);
    assert.deepEqual(after, after.size === whole.size ? whole : promised);
  }
  assert.equal(seen.size, 2, 'both happened');
});

test('a recorded commit writes no more than its record; one that a buffered commit came before is flushed with it', async (t) => {
  const stateDir = join(makeStateDirectory(t), 'state');
  const store = Store.open({ stateDir, log: silentLog, bootId: BEFORE, commitChain: newCommitChain() });
  const table = numbers(store);
  await store.flush();
  const { root } = readDisk(stateDir);
  await store.transactRecorded(() => apply(table, one(1)), { record: () => record(one(1)) }).durable;
  assert(readDisk(stateDir).root.equals(root));
  store.transactBuffered(() => apply(table, one(2)));
  await store.transactRecorded(() => apply(table, one(3)), { record: () => record(one(3)) }).durable;
  const flushed = readDisk(stateDir);
  assert(!flushed.root.equals(root), 'the buffered commit is durable too');
  await store.transactRecorded(() => apply(table, one(4)), {
    record: () => Buffer.concat([record(one(4)), Buffer.alloc(LOG_SLOT_BYTES)]),
  }).durable;
  assert(!readDisk(stateDir).root.equals(flushed.root), 'a record that does not fit');
  await store.close();
  assert.equal(commitLogFile(dataFile(stateDir)), join(stateDir, 'metadata', 'commit-log'));
});

test('a recorded commit that an expendable one came before writes no more than its record', async (t) => {
  const stateDir = join(makeStateDirectory(t), 'state');
  const store = Store.open({ stateDir, log: silentLog, bootId: BEFORE, commitChain: newCommitChain() });
  const table = numbers(store);
  const expendables = store.table('expendables', numberKey, bytesValue);
  store.transactExpendable(() => undefined);
  await store.flush();
  const { root } = readDisk(stateDir);
  for (let key = 1; key <= 4; key += 1) {
    // One of them changes nothing by itself.
    store.transactExpendable(() => (key === 2 ? undefined : expendables.put(key, Buffer.from('x'))));
    await store.transactRecorded(() => apply(table, one(key)), { record: () => record(one(key)) }).durable;
  }
  store.refresh();
  const promised = contentOf(store);
  const recent = readDisk(stateDir);
  assert(recent.root.equals(root));
  const torn = join(makeStateDirectory(t), 'torn');
  writeDisk(torn, recent);
  await store.close();
  assert.deepEqual(await contentAfter(torn, AFTER), promised);
});

test('without a chain that its threads share a store flushes what is recorded', async (t) => {
  const stateDir = join(makeStateDirectory(t), 'state');
  const store = Store.open({ stateDir, log: silentLog, bootId: BEFORE });
  const table = numbers(store);
  await store.flush();
  const { root } = readDisk(stateDir);
  await store.transactRecorded(() => apply(table, one(1)), { record: () => record(one(1)) }).durable;
  assert(!readDisk(stateDir).root.equals(root));
  await store.close();
});

test('many at once are durable in their order, and the log never runs over', async (t) => {
  const stateDir = join(makeStateDirectory(t), 'state');
  const store = Store.open({ stateDir, log: silentLog, bootId: BEFORE, commitChain: newCommitChain() });
  const table = numbers(store);
  const done: number[] = [];
  await Promise.all(
    Array.from({ length: 200 }, async (_, index) => {
      const { durable } = store.transactRecorded(() => apply(table, one(index + 1)), {
        record: () => record(one(index + 1)),
      });
      await durable;
      done.push(index);
    }),
  );
  assert.equal(done.length, 200);
  store.refresh();
  const promised = contentOf(store);
  const torn = join(makeStateDirectory(t), 'torn');
  writeDisk(torn, readDisk(stateDir));
  await store.close();
  assert.deepEqual(await contentAfter(torn, AFTER), promised);
});
