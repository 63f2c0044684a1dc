import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ProjectionHistory } from '../../../src/projection/history/projection-history.ts';
import type { WantedProjection } from '../../../src/projection/projection-service.ts';
import type { BlobStore } from '../../../src/store/blob-store.ts';
import { TreeHarness, wanted } from '../helpers/tree-harness.ts';

let harness: TreeHarness;
let history: ProjectionHistory;
beforeEach(async () => {
  harness = await TreeHarness.create();
  history = harness.history();
});
afterEach(() => harness.close());

const write = (files: Record<string, string>, more: Partial<WantedProjection> = {}): Promise<unknown> =>
  harness.service.write(wanted('web', files, { keep: 10, ...more }));

async function writeNumbers(count: number, more: Partial<WantedProjection> = {}): Promise<void> {
  for (let number = 1; number <= count; number += 1) await write({ key: `${number}\n` }, more);
}

const numbers = async (): Promise<number[]> => (await history.list('web')).generations.map((one) => one.generation);

describe('list', () => {
  it('has the kept generations, newest first, and how many are kept', async () => {
    await writeNumbers(12);
    const { limit, generations } = await history.list('web');
    assert.equal(limit, 10);
    assert.deepEqual(
      generations.map(({ generation, live }) => [generation, live]),
      [12, 11, 10, 9, 8, 7, 6, 5, 4, 3].map((number) => [number, number === 12]),
    );
  });

  it('fails for a projection that does not exist', async () => {
    await assert.rejects(history.list('web'), { code: 'NOT_FOUND' });
    await assert.rejects(history.diff('web', undefined, undefined), { code: 'NOT_FOUND' });
    await assert.rejects(history.rollback('web', undefined), { code: 'NOT_FOUND' });
    await assert.rejects(history.purge('web', 1), { code: 'NOT_FOUND' });
  });
});

describe('diff', () => {
  it('compares the live generation with the one before, or any two that are kept', async () => {
    await writeNumbers(4);
    const lines = async (from?: number, to?: number): Promise<unknown> => {
      const diff = await history.diff('web', from, to);
      return [diff.from, diff.to, ...diff.files.flatMap(({ hunks }) => hunks.flatMap((hunk) => hunk.lines))];
    };
    assert.deepEqual(await lines(), [3, 4, '-3', '+4']);
    assert.deepEqual(await lines(1), [1, 4, '-1', '+4']);
    assert.deepEqual(await lines(undefined, 2), [1, 2, '-1', '+2']);
    assert.deepEqual(await lines(3, 1), [3, 1, '-3', '+1']);
    assert.deepEqual(await lines(2, 2), [2, 2]);
  });

  it('says which generations there are if one is not kept', async () => {
    await writeNumbers(3, { keep: 2 });
    await assert.rejects(history.diff('web', 1, undefined), {
      code: 'NOT_FOUND',
      message: 'generation 1 of web is not kept',
      remedy: 'kept are 3, 2',
    });
    await assert.rejects(history.diff('web', undefined, 4), { code: 'NOT_FOUND' });
    await assert.rejects(history.diff('web', undefined, 2), { code: 'NOT_FOUND', message: /before 2/ });
  });

  it('masks a Secret', async () => {
    await write({ password: 'hunter1' }, { kind: 'Secret', secret: true });
    await write({ password: 'hunter22' }, { kind: 'Secret', secret: true });
    const { files } = await history.diff('web', undefined, undefined);
    assert.deepEqual(
      files.map(({ path, shown, content, before, after }) => [
        path,
        shown,
        content,
        before?.sizeBytes,
        after?.sizeBytes,
      ]),
      [['password', 'secret', 'differs', 7, 8]],
    );
    assert.doesNotMatch(JSON.stringify(files), /hunter|sha256/);
  });
});

describe('rollback', () => {
  it('makes a new generation with the content, modes and names of the one before', async () => {
    await write({ 'a/b': 'old', gone: 'old' });
    await write({ 'a/b': 'new', made: 'new' });
    assert.deepEqual(await history.rollback('web', undefined), { changed: true, to: 1, generation: 3 });
    assert.equal(await harness.readFile('web/a/b'), 'old');
    assert.equal(await harness.readFile('web/gone'), 'old');
    assert.equal(await harness.readFile('web/made'), undefined);
    assert.deepEqual((await history.list('web')).generations[0]?.rollbackOf, 1);
    assert.deepEqual(await numbers(), [3, 2, 1]);
  });

  it('goes to the generation it is told', async () => {
    await writeNumbers(4);
    assert.deepEqual(await history.rollback('web', 2), { changed: true, to: 2, generation: 5 });
    assert.equal(await harness.readFile('web/key'), '2\n');
  });

  it('stores no content again and counts each reference', async () => {
    const large = 'x'.repeat(100_000);
    await write({ small: 'a', large, copy: large });
    await write({ small: 'b' });
    const before = harness.blobs.statistics();
    await history.rollback('web', 1);
    assert.deepEqual(harness.blobs.statistics(), before);
    await history.purge('web', 1);
    harness.forgetAll();
    await harness.graceOver();
    await harness.service.removeDropped();
    assert.equal(await harness.readFile('web/copy'), large);
    assert.equal(harness.blobs.statistics().blobs, 2);
  });

  it('changes nothing if that content is live', async () => {
    await writeNumbers(2);
    assert.deepEqual(await history.rollback('web', 2), { changed: false, to: 2, generation: 2 });
    assert.deepEqual(await numbers(), [2, 1]);
  });

  it('does not count as a look at the source', async () => {
    await writeNumbers(2);
    const seenAtMs = harness.nowMs;
    harness.nowMs += 60_000;
    await history.rollback('web', 1);
    assert.equal(harness.service.find('web').record.sourceSeenAtMs, seenAtMs);
    await write({ key: '2\n' });
    assert.equal(harness.service.find('web').record.sourceSeenAtMs, harness.nowMs);
  });

  it('is refused for an immutable object', async () => {
    await write({ key: '1' });
    await write({ key: '2' });
    await write({ key: '2' }, { immutable: true });
    await assert.rejects(history.rollback('web', 1), { code: 'IMMUTABLE' });
    assert.equal(await harness.readFile('web/key'), '2');
  });

  for (const [what, isSealedAway, code] of [
    ['sealed with a key that is gone', true, 'AWAITING_SOURCE'],
    ['damaged', false, 'CORRUPT'],
  ] as const) {
    it(`is refused if the content is ${what}`, async () => {
      await writeNumbers(2);
      const { catalog, service: projections } = harness;
      const blobs = { isReadable: () => false, isSealedAway: () => isSealedAway } as unknown as BlobStore;
      const owner = { uid: 0, gid: 0 };
      const without = new ProjectionHistory({ catalog, blobs, projections, owner, onDropped: () => undefined });
      await assert.rejects(without.rollback('web', 1), { code, message: new RegExp(`generation 1 of web is ${what}`) });
      assert.equal(await harness.readFile('web/key'), '2\n');
    });
  }

  it('fails if nothing earlier is kept, and leaves all as it is', async () => {
    await writeNumbers(2, { keep: 1 });
    await assert.rejects(history.rollback('web', undefined), { code: 'NOT_FOUND' });
    await assert.rejects(history.rollback('web', 1), { code: 'NOT_FOUND', message: 'generation 1 of web is not kept' });
    assert.deepEqual(await numbers(), [2]);
  });

  it('gives up what it prepared if the swap fails, and works the next time', async () => {
    await writeNumbers(2);
    harness.beforeOperation = ({ kind }) => {
      if (kind === 'rename') throw new Error('the agent died');
    };
    await assert.rejects(history.rollback('web', 1), /the agent died/);
    harness.beforeOperation = () => undefined;
    assert.equal(await harness.readFile('web/key'), '2\n');
    await history.rollback('web', 1);
    assert.equal(await harness.readFile('web/key'), '1\n');
  });

  it('follows the writes before it and is followed by those after it', async () => {
    await writeNumbers(1);
    const results = await Promise.all([
      write({ key: '2\n' }),
      history.rollback('web', undefined),
      write({ key: '4\n' }),
    ]);
    assert.deepEqual(results[1], { changed: true, to: 1, generation: 3 });
    assert.equal(await harness.readFile('web/key'), '4\n');
  });
});

describe('purge', () => {
  it('drops all but the live generation, or the newest few', async () => {
    await writeNumbers(5);
    assert.deepEqual(await history.purge('web', 3), { dropped: [2, 1], kept: [5, 4, 3] });
    assert.deepEqual(await history.purge('web', 3), { dropped: [], kept: [5, 4, 3] });
    assert.deepEqual(await history.purge('web', 1), { dropped: [4, 3], kept: [5] });
    assert.deepEqual(await numbers(), [5]);
    assert.equal(await harness.readFile('web/key'), '5\n');
  });
});

describe('the limit', () => {
  it('is that of the last manifest, and a lower one takes effect at once', async () => {
    await writeNumbers(5);
    await write({ key: '5\n' }, { keep: 2 });
    assert.deepEqual(await numbers(), [5, 4]);
    await write({ key: '6\n' }, { keep: 3 });
    assert.deepEqual(await numbers(), [6, 5, 4]);
    assert.equal((await history.list('web')).limit, 3);
  });
});
