import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { limits } from '../../src/base/limits.ts';
import { silentLog } from '../../src/base/log.ts';
import { type BlobRecord, blobRecordValue } from '../../src/store/blob-records.ts';
import { BlobStore, type PreparedBlob, type Protection } from '../../src/store/blob-store.ts';
import { digestKey } from '../../src/store/codecs.ts';
import { type Digest, plainDigest } from '../../src/store/digest.ts';
import { SealingKey } from '../../src/store/sealing-key.ts';
import { Store } from '../../src/store/store.ts';
import { filesBelow, filesWith, makeStateDirectory } from './state-directory.ts';

const LARGE = limits.inlineBlobBytesMax + 1;

interface Opened {
  readonly store: Store;
  readonly blobs: BlobStore;
  close(): Promise<void>;
}

function openBlobs(stateDir: string, sealingKey: SealingKey = SealingKey.loadOrCreate(join(stateDir, 'key'))): Opened {
  const store = Store.open({ stateDir, log: silentLog });
  const blobs = new BlobStore({ store, stateDir, sealingKey, log: silentLog });
  const close = async (): Promise<void> => {
    await blobs.close();
    await store.close();
  };
  return { store, blobs, close };
}

function setUp(t: TestContext): Opened & { stateDir: string } {
  const stateDir = makeStateDirectory(t);
  const opened = openBlobs(stateDir);
  t.after(() => opened.close());
  return { ...opened, stateDir };
}

async function put(
  { store, blobs }: Opened,
  data: Uint8Array,
  protection: Protection = 'plain',
): Promise<PreparedBlob> {
  const blob = await blobs.prepare(data, protection);
  store.transactBuffered(() => blobs.retain(blob));
  return blob;
}

function release({ store, blobs }: Opened, ...digests: readonly Digest[]): void {
  store.transactBuffered(() => {
    for (const digest of digests) blobs.release(digest);
  });
}

const contentFiles = (stateDir: string): readonly string[] => filesBelow(join(stateDir, 'blobs'));

for (const protection of ['plain', 'secret'] as const) {
  for (const size of [0, 1, LARGE - 1, LARGE, limits.sealedChunkBytes * 2, limits.sealedChunkBytes * 2 + 77]) {
    test(`${protection} content of ${size} bytes reads back whole and in parts`, async (t) => {
      const opened = setUp(t);
      const data = randomBytes(size);
      const blob = await put(opened, data, protection);
      assert.equal(blob.sizeBytes, size);
      assert.equal(contentFiles(opened.stateDir).length, size < LARGE ? 0 : 1);
      const { blobs } = opened;
      assert.deepEqual(Buffer.from(await blobs.read(blob.digest, 0, size + 10)), data);
      for (const [offset, length] of [
        [0, 1],
        [size >> 1, size],
        [size - 1, 1],
        [70_000, 10],
        [size, 5],
        [size + 5, 5],
        [3, 0],
      ] as const) {
        if (offset < 0) continue;
        assert.deepEqual(
          Buffer.from(await blobs.read(blob.digest, offset, length)),
          data.subarray(offset, offset + length),
        );
      }
      if (size < LARGE) assert(blobs.read(blob.digest, 0, 1) instanceof Uint8Array, 'small content is read at once');
    });
  }
}

test('the same content is stored once, and goes with its last reference', async (t) => {
  const opened = setUp(t);
  const { blobs, stateDir } = opened;
  const data = randomBytes(LARGE);
  const both = await Promise.all([put(opened, data), put(opened, data)]);
  assert.equal(contentFiles(stateDir).length, 1);
  assert.deepEqual(blobs.statistics(), { blobs: 1, sizeBytes: LARGE });
  const digest = both[0].digest;
  release(opened, digest);
  assert.equal(await blobs.collect(), 0);
  assert.deepEqual(await blobs.read(digest, 0, LARGE), data);
  release(opened, digest);
  assert.throws(() => blobs.read(digest, 0, 1), { code: 'NOT_FOUND' });
  assert.equal(contentFiles(stateDir).length, 1, 'the file goes after the commit');
  assert.equal(await blobs.collect(), 1);
  assert.equal(contentFiles(stateDir).length, 0);
  assert.throws(() => release(opened, digest), { code: 'NOT_FOUND' });
  assert.deepEqual(blobs.statistics(), { blobs: 0, sizeBytes: 0 });
});

test('plain text of secrets is nowhere on disk, at no time', async (t) => {
  const opened = setUp(t);
  const { blobs, stateDir } = opened;
  const needle = Buffer.from('correct horse battery staple');
  const isHidden = (): void => assert.deepEqual(filesWith(stateDir, needle), []);
  const small = Buffer.concat([needle, randomBytes(100)]);
  const large = Buffer.concat([randomBytes(LARGE), needle, randomBytes(LARGE)]);
  for (const data of [needle, small, large]) {
    const blob = await blobs.prepare(data, 'secret');
    isHidden();
    opened.store.transactBuffered(() => blobs.retain(blob));
    isHidden();
    assert.notDeepEqual(blob.digest, plainDigest(data), 'nor can its digest be guessed');
    assert.deepEqual(Buffer.from(await blobs.read(blob.digest, 0, data.length)), data);
    release(opened, blob.digest);
    await blobs.collect();
    isHidden();
  }
  await put(opened, needle, 'plain');
  assert.equal(filesWith(stateDir, needle).length, 1, 'the search itself finds what is there');
});

test('unfinished files of secrets are sealed as well', async (t) => {
  const stateDir = makeStateDirectory(t);
  const needle = Buffer.from('correct horse battery staple');
  const store = Store.open({ stateDir, log: silentLog });
  t.after(() => store.close());
  let looked = 0;
  const blobs = new BlobStore({
    store,
    stateDir,
    sealingKey: SealingKey.loadOrCreate(join(stateDir, 'key')),
    log: silentLog,
    onStep: () => {
      looked += 1;
      assert.deepEqual(filesWith(stateDir, needle), []);
    },
  });
  await blobs.prepare(Buffer.concat([needle, Buffer.alloc(LARGE)]), 'secret');
  assert.equal(looked, 5);
});

test('secrets sealed with a key that is gone wait for their source and can be released', async (t) => {
  const stateDir = makeStateDirectory(t);
  const before = openBlobs(stateDir);
  const secrets = [await put(before, Buffer.from('small'), 'secret'), await put(before, randomBytes(LARGE), 'secret')];
  const plain = await put(before, Buffer.from('plain'));
  assert(secrets.every(({ digest }) => before.blobs.isReadable(digest)));
  await before.close();
  unlinkSync(join(stateDir, 'key'));
  const after = openBlobs(stateDir);
  t.after(() => after.close());
  for (const { digest } of secrets) {
    assert.equal(after.blobs.isReadable(digest), false);
    assert.throws(() => after.blobs.read(digest, 0, 1), { code: 'AWAITING_SOURCE' });
  }
  assert.equal(after.blobs.isReadable(plain.digest), true);
  assert.equal(after.blobs.isReadable(plainDigest(Buffer.from('unknown'))), false);
  const again = await put(after, Buffer.from('small'), 'secret');
  assert.equal(Buffer.from(await after.blobs.read(again.digest, 0, 5)).toString(), 'small');
  release(after, ...secrets.map(({ digest }) => digest));
  assert.equal(await after.blobs.collect(), 1);
});

test('damaged files are CORRUPT, never wrong bytes, and preparing the content again mends them', async (t) => {
  const opened = setUp(t);
  const { blobs, stateDir } = opened;
  const data = randomBytes(LARGE * 3);
  const damages: readonly ((path: string) => void)[] = [
    (path) => unlinkSync(path),
    (path) => truncateSync(path, 1000),
    (path) => writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.from('x')])),
  ];
  const flip = (path: string): void => {
    const bytes = readFileSync(path);
    bytes.writeUInt8(bytes.readUInt8(500) ^ 1, 500);
    writeFileSync(path, bytes);
  };
  for (const [protection, damage] of [
    ...damages.map((each) => ['plain', each] as const),
    ...[...damages, flip].map((each) => ['secret', each] as const),
  ]) {
    const blob = await put(opened, data, protection);
    await opened.blobs.close();
    const [path = ''] = contentFiles(stateDir);
    damage(path);
    await assert.rejects(Promise.resolve(blobs.read(blob.digest, 0, data.length)), { code: 'CORRUPT' });
    await put(opened, data, protection);
    assert.deepEqual(Buffer.from(await blobs.read(blob.digest, 0, data.length)), data);
    release(opened, blob.digest, blob.digest);
    await blobs.collect();
  }
  const plain = await put(opened, data);
  flip(contentFiles(stateDir)[0] ?? '');
  await put(opened, data);
  assert.deepEqual(
    await blobs.read(plain.digest, 0, data.length),
    data,
    'a flipped bit of plain content is mended too',
  );
});

test('what is prepared survives the collector; what is abandoned does not', async (t) => {
  const opened = setUp(t);
  const { store, blobs, stateDir } = opened;
  const data = randomBytes(LARGE);
  const blob = await blobs.prepare(data, 'plain');
  assert.equal(await blobs.collect(), 0);
  assert.throws(
    () =>
      store.transactBuffered(() => {
        blobs.retain(blob);
        throw new RangeError('abandon the transaction');
      }),
    RangeError,
  );
  assert.equal(await blobs.collect(), 0, 'still pinned after the transaction was abandoned');
  store.transactBuffered(() => blobs.retain(blob));
  blobs.abandon(blob);
  assert.equal(await blobs.collect(), 0, 'abandon after retain does nothing');
  assert.throws(() => store.transactBuffered(() => blobs.retain(blob)), /retained or abandoned before/);
  release(opened, blob.digest);
  const again = await blobs.prepare(data, 'plain');
  assert.equal(await blobs.collect(), 0, 'released, but prepared again');
  blobs.abandon(again);
  assert.equal(await blobs.collect(), 1);
  assert.deepEqual(contentFiles(stateDir), []);
});

test('transactions are needed to retain and release', async (t) => {
  const { blobs } = setUp(t);
  const blob = await blobs.prepare(Buffer.from('x'), 'plain');
  assert.throws(() => blobs.retain(blob), /needs a transaction/);
  assert.throws(() => blobs.release(blob.digest), /needs a transaction/);
  assert.deepEqual(blob.digest, blobs.digestOf(Buffer.from('x'), 'plain'));
});

type Step =
  | { readonly kind: 'retain' | 'release'; readonly contents: readonly number[]; readonly fails: boolean }
  | { readonly kind: 'abandon'; readonly content: number }
  | { readonly kind: 'collect' | 'reopen' };

const CONTENTS = 8;
const contentNumber = fc.nat(CONTENTS - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom('retain' as const, 'release' as const),
      contents: fc.array(contentNumber, { minLength: 1, maxLength: 4 }),
      fails: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('abandon' as const), content: contentNumber }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('collect' as const, 'reopen' as const) }) },
);
const sample = (number: number): { data: Buffer; protection: Protection } => ({
  data: Buffer.alloc(number % 2 === 0 ? 100 : LARGE, number),
  protection: number < CONTENTS / 2 ? 'plain' : 'secret',
});

/** Content number -> references: the one definition of what is right. */
type Model = Map<number, number>;

async function runStep(opened: Opened, model: Model, current: Step): Promise<void> {
  const { store, blobs } = opened;
  if (current.kind === 'collect') await blobs.collect();
  else if (current.kind === 'abandon')
    blobs.abandon(await blobs.prepare(sample(current.content).data, sample(current.content).protection));
  else if ('contents' in current) {
    const change = current.kind === 'retain' ? 1 : -1;
    const after = new Map(model);
    for (const number of current.contents) after.set(number, (after.get(number) ?? 0) + change);
    const isPossible = [...after.values()].every((references) => references >= 0);
    const prepared =
      change === 1
        ? await Promise.all(
            current.contents.map((number) => blobs.prepare(sample(number).data, sample(number).protection)),
          )
        : [];
    const action = (): void => {
      for (const blob of prepared) blobs.retain(blob);
      if (change === -1)
        for (const number of current.contents)
          blobs.release(blobs.digestOf(sample(number).data, sample(number).protection));
      if (current.fails) throw new RangeError('abandon');
    };
    if (isPossible && !current.fails) {
      store.transactBuffered(action);
      for (const [number, references] of after) model.set(number, references);
    } else assert.throws(() => store.transactBuffered(action));
    for (const blob of prepared) blobs.abandon(blob);
  }
}

async function compare({ store, blobs }: Opened, model: Model, stateDir: string): Promise<void> {
  const records = store.table('blobs', digestKey, blobRecordValue);
  const present = [...model].filter(([, references]) => references > 0);
  assert.equal(records.count(), present.length);
  let sizeBytes = 0;
  for (let number = 0; number < CONTENTS; number += 1) {
    const { data, protection } = sample(number);
    const digest = blobs.digestOf(data, protection);
    const references = model.get(number) ?? 0;
    assert.equal(records.get(digest)?.references ?? 0, references);
    assert.equal(blobs.isReadable(digest), references > 0);
    if (references === 0) continue;
    sizeBytes += data.length;
    assert(data.equals(await blobs.read(digest, 0, data.length)));
  }
  assert.deepEqual(blobs.statistics(), { blobs: present.length, sizeBytes });
  await blobs.collect();
  assert.equal(
    contentFiles(stateDir).length,
    present.filter(([number]) => sample(number).data.length === LARGE).length,
  );
}

test('references, existence and content follow the model through any sequence of steps', async (t) => {
  const base = makeStateDirectory(t);
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 20 }), async (steps) => {
      const stateDir = join(base, randomBytes(6).toString('hex'));
      const key = SealingKey.fromBytes(new Uint8Array(32));
      const model: Model = new Map();
      let opened = openBlobs(stateDir, key);
      try {
        for (const current of steps) {
          if (current.kind === 'reopen') {
            await opened.close();
            opened = openBlobs(stateDir, key);
            await opened.blobs.sweep();
          }
          await runStep(opened, model, current);
        }
        await compare(opened, model, stateDir);
      } finally {
        await opened.close();
      }
    }),
    { numRuns: 40, includeErrorInReport: true },
  );
});

const crashProgram = fileURLToPath(new URL('programs/blob-crash.js', import.meta.url));

/** After a crash: every record has whole content, and after the sweep nothing else is left. Returns the number of records. */
async function examine(stateDir: string): Promise<number> {
  const opened = openBlobs(stateDir);
  try {
    const records: readonly { key: Digest; value: BlobRecord }[] = [
      ...opened.store.table('blobs', digestKey, blobRecordValue).range({}),
    ];
    await opened.blobs.sweep();
    for (const { key, value } of records) {
      const data = Buffer.from(await opened.blobs.read(key, 0, value.sizeBytes));
      assert.equal(data.length, value.sizeBytes);
      assert.deepEqual(opened.blobs.digestOf(data, value.protection), key);
    }
    assert.deepEqual(readdirSync(join(stateDir, 'blobs', 'tmp')), []);
    assert.equal(contentFiles(stateDir).length, records.filter(({ value }) => value.place === 'file').length);
    return records.length;
  } finally {
    await opened.close();
  }
}

const steps = [
  'temporary-created',
  'temporary-written',
  'temporary-flushed',
  'renamed',
  'folder-flushed',
  'prepared',
  'retained-uncommitted',
  'retained',
  'abandoned',
  'released',
  'collected',
];
const recordsAfter: Readonly<Record<string, number>> = { retained: 2, abandoned: 2 };

for (const at of steps) {
  test(`killed when ${at}: no record lacks content, and the sweep leaves nothing else`, async (t) => {
    const stateDir = makeStateDirectory(t);
    const child = spawnSync(process.execPath, [crashProgram, stateDir, at], { timeout: 30_000 });
    assert.equal(child.signal, 'SIGKILL', child.stderr.toString());
    const records = await examine(stateDir);
    const isLate = at === 'released' || at === 'collected';
    if (isLate) assert(records > 0);
    else assert.equal(records, recordsAfter[at] ?? 0);
  });
}

test('killed at any moment, again and again over the same state, it stays whole', async (t) => {
  const stateDir = makeStateDirectory(t);
  for (let round = 0; round < 12; round += 1) {
    const child: ChildProcess = spawn(process.execPath, [crashProgram, stateDir, 'never', String(round)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const ended = once(child, 'exit');
    // The moment is the point: some fall into the start, some into the work.
    const timer = setTimeout(() => child.kill('SIGKILL'), 60 + 37 * round);
    const [, signal] = (await ended) as [number | null, string | null];
    clearTimeout(timer);
    assert.equal(signal, 'SIGKILL', child.stderr?.read()?.toString());
    await examine(stateDir);
  }
});
