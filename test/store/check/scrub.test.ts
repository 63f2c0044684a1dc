import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { LogFields } from '../../../src/base/log.ts';
import { silentLog } from '../../../src/base/log.ts';
import { BlobScene } from '../../../src/store/check/blob-scene.ts';
import { Scrub, ScrubPace } from '../../../src/store/check/scrub.ts';
import type { Digest } from '../../../src/store/digest.ts';
import { DamagedStore } from './damaged-store.ts';

interface Made {
  readonly scrub: Scrub;
  readonly pace: ScrubPace;
  readonly errors: LogFields[];
  readonly damaged: string[];
  verifiedBytes: number;
  damages: number;
}

const UNLIMITED = Number.MAX_SAFE_INTEGER;

function scrubOf(
  made: DamagedStore,
  pace = new ScrubPace(UNLIMITED, () => false),
  onVerified: () => void = () => undefined,
): Made {
  const { store, stateDir, key } = made;
  const scene = new BlobScene({
    ...{ store, stateDir, key, temporariesMinAgeMs: 0, nowMs: () => 0, pace: pace.wait },
    references: () => made.references(),
    isInUse: () => false,
  });
  const counts: Omit<Made, 'scrub'> = { pace, errors: [], damaged: [], verifiedBytes: 0, damages: 0 };
  const scrub = new Scrub({
    ...{ scene, pace, intervalMs: 1000, delayMs: 0 },
    clock: { nowMs: () => 5000, monotonicMs: () => 0 },
    log: { ...silentLog, error: (fields) => counts.errors.push(fields) },
    verifiedBytes: {
      increase: (_labels, by = 1) => {
        counts.verifiedBytes += by;
        onVerified();
      },
    },
    damages: {
      increase: () => {
        counts.damages += 1;
      },
    },
    onDamaged: (digest: Digest) => counts.damaged.push(digest.toString('hex')),
  });
  return Object.assign(counts, { scrub });
}

async function make(t: TestContext): Promise<DamagedStore> {
  return await DamagedStore.make(t);
}

test('a pass over whole content compares every byte and finds nothing', async (t) => {
  const made = await make(t);
  const run = scrubOf(made);
  await run.scrub.pass();
  assert.equal(
    run.verifiedBytes,
    [...made.contents.values()].reduce((sum, { data }) => sum + data.length, 0),
  );
  assert.deepEqual([run.damages, run.errors, run.scrub.warnings()], [0, [], []]);
});

test('damaged content is marked, logged, counted and warned of until it is healed', async (t) => {
  const made = await make(t);
  const content = made.content('plain-file');
  made.flip(content);
  const run = scrubOf(made);
  await run.scrub.pass();
  await run.scrub.pass();
  assert.deepEqual([run.damages, run.damaged], [1, [content.digest.toString('hex')]]);
  assert.deepEqual(
    run.errors.map(({ code, object }) => [code, object]),
    [['content-changed', 'plain-file']],
  );
  assert.equal(made.records.get(content.digest)?.damaged, true);
  assert.match(scrubOf(made).scrub.warnings()[0] ?? '', /plain-file: apply its source again/, 'also after a restart');
  await made.add('healed', content.data, 'plain');
  assert.deepEqual(run.scrub.warnings(), []);
});

test('a pass that is cut short goes on where it was', async (t) => {
  const made = await make(t);
  for (let index = 0; index < 100; index += 1) await made.add(`f${index}`, Buffer.from(`content ${index}`), 'plain');
  const total = made.blobs.statistics().sizeBytes;
  let compared = 0;
  const first = scrubOf(made, undefined, () => {
    compared += 1;
    if (compared === 50) void first.scrub.close();
  });
  await assert.rejects(first.scrub.pass(), { name: 'AbortError' });
  const second = scrubOf(made);
  await second.scrub.pass();
  assert.ok(second.verifiedBytes < total, 'what was compared before is not compared again');
  assert.ok(first.verifiedBytes + second.verifiedBytes >= total, 'and nothing is left out');
});

test('it waits while something else is to be done', async () => {
  let asked = 0;
  const pace = new ScrubPace(UNLIMITED, () => {
    asked += 1;
    return asked < 3;
  });
  await pace.wait(10);
  assert.equal(asked, 0, 'small contents are paid for together');
  await pace.wait(65_536);
  assert.equal(asked, 3);
});

test('closing ends it at once, however slow it is', async (t) => {
  const made = await make(t);
  const run = scrubOf(made, new ScrubPace(1, () => false));
  run.scrub.start();
  await run.scrub.close();
  assert.equal(run.damages, 0);
});
