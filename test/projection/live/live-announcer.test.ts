import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { describe, it } from 'node:test';
import type { GenerationId, ProjectionId } from '../../../src/base/ids.ts';
import { silentLog } from '../../../src/base/log.ts';
import type { Announcement } from '../../../src/projection/live/live-announcements.ts';
import { LiveAnnouncer } from '../../../src/projection/live/live-announcer.ts';
import { LivePlan } from '../../../src/projection/live/live-plan.ts';
import type { MountOperation } from '../../../src/vfs/ports.ts';

const { EROFS, EIO, ENOENT } = constants.errno;
const WEB = 5 as ProjectionId;

/** The other side: a plan that loses each step that arrives. */
class Scene {
  readonly plan: LivePlan = LivePlan.empty(8 as GenerationId);
  readonly made: string[] = [];
  readonly givenUp: number[] = [];
  readonly logged: string[] = [];
  answer: (operation: MountOperation) => number = () => 0;
  readonly announcer: LiveAnnouncer;

  constructor(plan: (plan: LivePlan) => void) {
    plan(this.plan);
    this.announcer = new LiveAnnouncer({
      announcements: {
        newest: (projection) => (projection === WEB ? this.#pending() : undefined),
        all: () => [this.#pending()].filter((pending) => pending !== undefined),
      },
      throughMount: {
        run: async (directory, operations) => {
          const outcomes: number[] = [];
          for (const operation of operations) {
            const errno = this.answer(operation);
            outcomes.push(errno);
            this.made.push(`${directory}: ${operation.kind} ${operation.name}`);
            if (errno !== 0) break;
            if (operation.kind === 'modify') this.plan.writes.delete(operation.name);
          }
          return outcomes;
        },
      },
      log: { ...silentLog, error: (_fields, message) => this.logged.push(message) },
      onGivenUp: (_projection, towards) => this.givenUp.push(towards),
    });
  }

  #pending(): Announcement | undefined {
    return this.plan.isEmpty ? undefined : { projection: WEB, directory: 'web', plan: new LivePlan(this.plan.record) };
  }
}

const changes = (plan: LivePlan): void => void plan.writes.add('a').add('b').add('c');

describe('LiveAnnouncer', () => {
  it('has nothing done where nothing waits', async () => {
    const scene = new Scene(() => undefined);
    await scene.announcer.announce(WEB);
    await scene.announcer.recover();
    assert.deepEqual(scene.made, []);
  });

  it('has every step made, and resolves then', async () => {
    const scene = new Scene(changes);
    await scene.announcer.announce(WEB);
    assert.deepEqual(scene.made, ['live/web: modify a', 'live/web: modify b', 'live/web: modify c']);
    assert.deepEqual(scene.givenUp, []);
  });

  it('goes on behind a step that is not wanted any more', async () => {
    const scene = new Scene(changes);
    scene.answer = ({ name }) => (name === 'a' ? ENOENT : name === 'b' ? EROFS : 0);
    await scene.announcer.announce(WEB);
    assert.deepEqual(scene.made, ['live/web: modify a', 'live/web: modify b', 'live/web: modify c']);
    assert.deepEqual(scene.givenUp, [8], 'the other side learns that nobody will come for the rest');
  });

  it('tries again if the agent dies, from where the plan is', async () => {
    const scene = new Scene(changes);
    let deaths = 1;
    scene.answer = ({ name }) => {
      if (name === 'b' && deaths-- > 0) throw new Error('the agent ended');
      return 0;
    };
    await scene.announcer.announce(WEB);
    assert.deepEqual(scene.made, ['live/web: modify a', 'live/web: modify b', 'live/web: modify c']);
    assert.deepEqual(scene.logged, []);
  });

  it('gives up in the end, says so, and never rejects', async () => {
    const scene = new Scene(changes);
    scene.answer = () => EIO;
    await scene.announcer.announce(WEB);
    assert.deepEqual(scene.givenUp, [8]);
    assert.deepEqual(scene.logged, ['watchers of live files could not be told']);
  });

  it('completes at a start what an earlier daemon left', async () => {
    const scene = new Scene(changes);
    await scene.announcer.recover();
    assert.equal(scene.made.length, 3);
  });

  it('keeps a write from waiting for ever', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const scene = new Scene(changes);
    const warned: string[] = [];
    const announcer = new LiveAnnouncer({
      announcements: { newest: () => ({ projection: WEB, directory: 'web', plan: scene.plan }), all: () => [] },
      throughMount: { run: () => new Promise(() => undefined) },
      log: { ...silentLog, warn: (_fields, message) => warned.push(message) },
      onGivenUp: () => assert.fail('what takes long is not given up'),
    });
    const announced = announcer.announce(WEB);
    t.mock.timers.tick(60_000);
    await announced;
    assert.deepEqual(warned, ['watchers of live files are told later than they should']);
  });
});
