import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import { SealingKey } from '../../../src/store/sealing-key.ts';
import { type Content, codes, DamagedStore, SORTS } from './damaged-store.ts';

async function readWhole({ blobs }: DamagedStore, { digest, data }: Content): Promise<Buffer> {
  return Buffer.from(await blobs.read(digest, 0, data.length));
}

async function errorOf(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    if (error instanceof DunnageError) return error.code;
    throw error;
  }
  return 'no error';
}

const DAMAGES = {
  'content-changed': (made: DamagedStore, content: Content) => made.flip(content),
  'content-truncated': (made: DamagedStore, content: Content) => made.truncate(content),
  'content-missing': (made: DamagedStore, content: Content) => made.removeBytes(content),
} as const;

test('a store in order has no findings, and every byte was compared', async (t) => {
  const made = await DamagedStore.make(t);
  const { remaining, repaired, tally } = await made.check({ repair: true });
  assert.deepEqual([remaining, repaired], [[], []]);
  assert.equal(tally.verified, 4);
  assert.equal(
    tally.verifiedBytes,
    [...made.contents.values()].reduce((sum, { data }) => sum + data.length, 0),
  );
});

for (const sort of SORTS) {
  for (const [code, damage] of Object.entries(DAMAGES)) {
    test(`${sort}: ${code} is found, marked so that reads fail, and healed when the content is stored again`, async (t) => {
      const made = await DamagedStore.make(t);
      const content = made.content(sort);
      damage(made, content);

      const found = await made.check();
      assert.deepEqual(codes(found.remaining), [code]);
      assert.match(found.remaining[0]?.object ?? '', new RegExp(sort));
      assert.equal(found.remaining[0]?.repairable, true);
      assert.deepEqual(made.marked, [], 'a check without repair changes nothing');

      const { repaired, remaining } = await made.check({ repair: true });
      assert.deepEqual(codes(repaired), [code]);
      assert.deepEqual(codes(remaining), ['content-lost'], 'what is lost is said');
      assert.match(remaining[0]?.action ?? '', /apply its source again/);
      assert.deepEqual(made.marked, [content.digest.toString('hex')]);
      assert.equal(await errorOf(() => readWhole(made, content)), 'CORRUPT');
      assert.equal(made.blobs.isReadable(content.digest), false);

      await made.add('new', content.data, content.protection);
      assert.deepEqual(await readWhole(made, content), content.data);
      const after = await made.check();
      assert.deepEqual(after.remaining, []);
      for (const other of made.contents.values()) assert.deepEqual(await readWhole(made, other), other.data);
    });
  }
}

test('without the key only the length of sealed content is checked, and that is said', async (t) => {
  for (const key of [undefined, SealingKey.fromBytes(Buffer.alloc(32, 9))]) {
    const made = await DamagedStore.make(t);
    made.flip(made.content('secret-file'));
    const flipped = await made.check({ key });
    assert.deepEqual(flipped.remaining, []);
    assert.deepEqual([flipped.tally.verified, flipped.tally.unverifiable], [2, 2]);
    made.truncate(made.content('secret-file'));
    assert.deepEqual(codes((await made.check({ key })).remaining), ['content-truncated']);
  }
});

test('content that a record looks for in the wrong place, or with the wrong length, is found where it is', async (t) => {
  const made = await DamagedStore.make(t);
  made.setRecord(made.content('plain-inline'), { place: 'file' });
  made.setRecord(made.content('plain-file'), { sizeBytes: 12 });
  made.setRecord(made.content('secret-file'), { place: 'inline' });
  const { remaining } = await made.check({ repair: true });
  assert.deepEqual(remaining, []);
  for (const content of made.contents.values()) assert.deepEqual(await readWhole(made, content), content.data);
});

test('a mark on content that is whole again is removed', async (t) => {
  const made = await DamagedStore.make(t);
  const content = made.content('plain-file');
  made.setRecord(content, { damaged: true });
  assert.equal(await errorOf(() => readWhole(made, content)), 'CORRUPT');
  const { repaired, remaining } = await made.check({ repair: true });
  assert.deepEqual([codes(repaired), remaining], [['content-intact'], []]);
  assert.deepEqual(await readWhole(made, content), content.data);
});

test('content stored again while its damage is looked at is nobody to be marked', async (t) => {
  const made = await DamagedStore.make(t);
  const content = made.content('plain-file');
  made.flip(content);
  // Held as a write does that is not committed yet: it mends the file, and the check must not mark it afterwards.
  const writing = await made.blobs.prepare(content.data, 'plain');
  const { repaired, remaining } = await made.check({ repair: true });
  assert.deepEqual([repaired, remaining], [[], []]);
  made.blobs.abandon(writing);
});
