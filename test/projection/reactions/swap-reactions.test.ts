import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Clock } from '../../../src/base/clock.ts';
import type { ProjectionId } from '../../../src/base/ids.ts';
import { limits } from '../../../src/base/limits.ts';
import { silentLog } from '../../../src/base/log.ts';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import type { Reaction, ReactionOutcome, SwapEvent } from '../../../src/projection/reactions/reaction.ts';
import { ReactionRecords } from '../../../src/projection/reactions/reaction-records.ts';
import { SwapReactions } from '../../../src/projection/reactions/swap-reactions.ts';
import { CatalogScene } from '../helpers/catalog-scene.ts';

const HUP: Reaction = { kind: 'pidFile', pidFile: '/run/a.pid', signal: 'SIGHUP' };
const USR1: Reaction = { ...HUP, signal: 'SIGUSR1' };
const DONE: ReactionOutcome = { succeeded: true, detail: 'done' };

interface Performance {
  readonly reaction: Reaction;
  readonly event: SwapEvent;
  readonly ending: AbortSignal;
  end(outcome: ReactionOutcome): void;
}

/** Reactions that end when the test says so; time passes only then, too. */
class Stage {
  readonly scene: CatalogScene;
  readonly records: ReactionRecords;
  readonly performances: Performance[] = [];
  nowMs = 1_000;
  reactions: SwapReactions;

  constructor(t: TestContext) {
    this.scene = new CatalogScene(t);
    this.records = new ReactionRecords(this.scene.store);
    this.reactions = this.start();
  }

  /** What a daemon does; calling it again is the next one over the same store. */
  start(): SwapReactions {
    const clock: Clock = { nowMs: () => this.nowMs, monotonicMs: () => this.nowMs };
    const { catalog } = this.scene;
    this.reactions = new SwapReactions({
      ...{ records: this.records, catalog, clock, log: silentLog, projectionsPath: '/mnt/projections' },
      perform: (reaction, event, ending) =>
        new Promise((end) => this.performances.push({ reaction, event, ending, end })),
    });
    return this.reactions;
  }

  /** A whole write with its list of reactions. */
  async write(
    projection: ProjectionId,
    list: readonly Reaction[] = [HUP],
    content = String(Math.random()),
  ): Promise<void> {
    const { directory } = this.scene.catalog.projection(projection) ?? { directory: '' };
    this.reactions.prepare(directory, list);
    await this.scene.write(projection, { a: content });
    this.reactions.settle(directory, true);
    await turn();
  }

  get generations(): number[] {
    return this.performances.map(({ event }) => event.generation);
  }

  async end(index: number, outcome: ReactionOutcome = DONE): Promise<void> {
    this.nowMs += 5;
    this.performances[index]?.end(outcome);
    await turn();
  }
}

const turn = (): Promise<void> => new Promise(setImmediate);

describe('SwapReactions', () => {
  it('runs after a swap, for its generation, in the order of the list', async (t) => {
    const stage = new Stage(t);
    const web = stage.scene.create('web');
    await stage.write(web, [HUP, USR1]);
    assert.deepEqual(stage.performances[0]?.event, { projection: 'web', generation: 1, path: '/mnt/projections/web' });
    assert.equal(stage.performances.length, 1);
    await stage.end(0);
    assert.deepEqual(stage.performances[1]?.reaction, USR1);
    assert.equal(stage.reactions.view('web')?.pending, true);
    await stage.end(1);
    const outcomes = ['SIGHUP', 'SIGUSR1'].map((signal) => ({ reaction: `${signal} to /run/a.pid`, ...DONE }));
    assert.deepEqual(stage.reactions.view('web'), {
      reactions: ['SIGHUP to /run/a.pid', 'SIGUSR1 to /run/a.pid'],
      ...{ pending: false, runs: 1, failures: 0 },
      last: { generation: 1, startedAtMs: 1_000, durationMs: 10, outcomes },
    });
  });

  it('answers the swaps that come while it runs with one later run for the newest', async (t) => {
    const stage = new Stage(t);
    const web = stage.scene.create('web');
    for (let swap = 0; swap < 5; swap += 1) await stage.write(web);
    assert.deepEqual(stage.generations, [1]);
    await stage.end(0);
    assert.deepEqual(stage.generations, [1, 5]);
    await stage.end(1);
    assert.deepEqual(stage.generations, [1, 5]);
    await stage.write(web);
    assert.deepEqual(stage.generations, [1, 5, 6]);
  });

  it('runs for different projections side by side, and for no more than the limit at once', async (t) => {
    const stage = new Stage(t);
    const count = limits.reactionsRunningMax + 2;
    for (let index = 0; index < count; index += 1) await stage.write(stage.scene.create(`p${index}`));
    assert.equal(stage.performances.length, limits.reactionsRunningMax);
    for (let index = 0; index < count; index += 1) await stage.end(index);
    assert.equal(new Set(stage.performances.map(({ event }) => event.projection)).size, count);
    await stage.reactions.idle();
  });

  it('notes a failure, goes on with the next reaction, and does not repeat it', async (t) => {
    const stage = new Stage(t);
    const web = stage.scene.create('web');
    await stage.write(web, [HUP, USR1]);
    await stage.end(0, { succeeded: false, detail: 'exit code 1' });
    await stage.end(1);
    const { failures, last, pending } = stage.reactions.view('web') ?? {};
    assert.deepEqual([failures, pending, last?.outcomes.map(({ succeeded }) => succeeded)], [1, false, [false, true]]);
    stage.reactions.settle('web', true);
    await turn();
    assert.equal(stage.performances.length, 2);
  });

  it('does nothing for a write that changes no content, nor for a list that is new', async (t) => {
    const stage = new Stage(t);
    const web = stage.scene.create('web');
    await stage.scene.write(web, { a: '1' });
    assert.equal(stage.reactions.prepare('web', [HUP]), true);
    stage.reactions.settle('web', true);
    await turn();
    assert.equal(stage.reactions.prepare('web', [HUP]), false);
    stage.reactions.settle('web', true);
    await turn();
    assert.deepEqual(stage.performances, []);
    assert.equal(stage.reactions.view('web')?.last, undefined);
  });

  it('keeps the old list if the write failed, and takes the new one if its swap was published all the same', async (t) => {
    const stage = new Stage(t);
    const web = stage.scene.create('web');
    await stage.write(web, [HUP]);
    await stage.end(0);
    stage.reactions.prepare('web', [USR1]);
    stage.reactions.settle('web', false);
    assert.deepEqual(stage.records.get('web')?.reactions, [HUP]);
    stage.reactions.prepare('web', [USR1]);
    await stage.scene.write(web, { a: 'new' });
    stage.reactions.settle('web', false);
    await turn();
    assert.deepEqual(stage.performances[1]?.reaction, USR1);
  });

  it('runs once more after a restart what was published and not noted as done', async (t) => {
    const stage = new Stage(t);
    const web = stage.scene.create('web');
    await stage.write(web);
    stage.start().recover();
    await turn();
    assert.deepEqual(stage.generations, [1, 1]);
    await stage.end(1);
    stage.start().recover();
    await turn();
    assert.deepEqual(stage.generations, [1, 1]);
  });

  it('settles a list that a crash left between the swap and the end of the write', async (t) => {
    const stage = new Stage(t);
    const web = stage.scene.create('web');
    stage.reactions.prepare('web', [HUP]);
    await stage.scene.write(web, { a: '1' });
    stage.start().recover();
    await turn();
    assert.deepEqual(stage.generations, [1]);
    stage.reactions.prepare('web', [USR1]);
    stage.start().recover();
    assert.deepEqual(stage.records.get('web')?.reactions, [HUP]);
  });

  it('forgets a projection that is gone, also at the next start', async (t) => {
    const stage = new Stage(t);
    stage.reactions.prepare('lost', [HUP]);
    await stage.write(stage.scene.create('web'));
    stage.reactions.forget('web');
    assert.equal(stage.reactions.view('web'), undefined);
    stage.start().recover();
    assert.deepEqual(stage.records.directories(), []);
  });

  it('runs for a projection that was made again under the name of a deleted one, while the run for that still goes on', async (t) => {
    const stage = new Stage(t);
    const { catalog } = stage.scene;
    const first = stage.scene.create('web');
    await stage.write(first);
    await catalog.beginDelete(first);
    await catalog.finishDelete(first);
    stage.reactions.forget('web');
    await stage.write(stage.scene.create('web'), [USR1]);
    assert.equal(stage.performances.length, 1);
    await stage.end(0);
    assert.deepEqual(stage.performances[1]?.reaction, USR1);
    assert.deepEqual(stage.generations, [1, 1]);
  });

  it('tries a run that cannot be noted once, not for ever', async (t) => {
    const stage = new Stage(t);
    await stage.write(stage.scene.create('web'));
    stage.records.noteRun = () => {
      throw new DunnageError('NO_SPACE', 'the disk is full');
    };
    await stage.end(0);
    await stage.reactions.idle();
    assert.equal(stage.performances.length, 1);
  });

  it('ends what still runs a grace period after close, begins nothing, and repeats it at the next start', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const stage = new Stage(t);
    const web = stage.scene.create('web');
    await stage.write(web);
    const closed = stage.reactions.close();
    await stage.write(web);
    const { ending } = stage.performances[0] ?? {};
    assert.equal(ending?.aborted, false);
    t.mock.timers.tick(limits.reactionCloseGraceMs);
    assert.equal(ending?.aborted, true);
    await stage.end(0, { succeeded: false, detail: 'killed' });
    await closed;
    assert.deepEqual(stage.generations, [1]);
    stage.start().recover();
    await turn();
    assert.deepEqual(stage.generations, [1, 2]);
  });
});
