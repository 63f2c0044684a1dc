import assert from 'node:assert/strict';

import { EventEmitter, once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { AllocDeletions } from '../../../src/alloc/service/alloc-deletions.ts';
import type { AllocRecord } from '../../../src/alloc/service/alloc-records.ts';
import { silentLog } from '../../../src/base/log.ts';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';

const RECORD: AllocRecord = { spec: { id: 'a', tasks: [] }, createdAtMs: 1, state: 'deleting' };

function makeScene() {
  const records = new Map<string, AllocRecord>([['a', RECORD]]);
  const events = new EventEmitter();
  const scene = { users: [] as string[], failure: undefined as unknown, destroyed: 0, looks: 0 };
  const deletions = new AllocDeletions({
    builder: {
      users: async () => {
        scene.looks += 1;
        return scene.users;
      },
      destroy: async () => {
        if (scene.failure !== undefined) throw scene.failure;
        scene.destroyed += 1;
      },
    },
    records: { get: (id) => records.get(id), remove: async (id) => void records.delete(id) },
    log: silentLog,
    inTurn: async (_, task) => await task(),
    onDeleted: (id) => void events.emit('deleted', id),
  });
  return { deletions, records, events, scene };
}

test('what nobody uses is gone at once', async () => {
  const { deletions, records, scene } = makeScene();
  assert.deepEqual(await deletions.attempt(RECORD), []);
  assert.deepEqual([scene.destroyed, records.size, deletions.awaited('a')], [1, 0, []]);
});

/** The daemon does not live for its timers; this test does. */
function stayAlive(t: TestContext): void {
  const timer = setInterval(() => undefined, 1_000);
  t.after(() => clearInterval(timer));
}

test('what is used is left whole, and deleted by itself when the last user is gone', async (t) => {
  stayAlive(t);
  const { deletions, records, events, scene } = makeScene();
  scene.users = ['pid 7 (sh) is there'];
  assert.deepEqual(await deletions.attempt(RECORD), ['pid 7 (sh) is there']);
  assert.deepEqual([scene.destroyed, deletions.awaited('a')], [0, ['pid 7 (sh) is there']]);
  const deleted = once(events, 'deleted');
  scene.users = [];
  assert.deepEqual(await deleted, ['a']);
  assert.deepEqual([scene.destroyed, records.size, deletions.awaited('a')], [1, 0, []]);
});

test('what cannot be removed is said, and tried again', async (t) => {
  stayAlive(t);
  const { deletions, records, events, scene } = makeScene();
  scene.failure = new DunnageError('BUSY', 'cannot unmount web/secrets: it is in use by sleep (pid 9)');
  assert.deepEqual(await deletions.attempt(RECORD), ['cannot unmount web/secrets: it is in use by sleep (pid 9)']);
  assert.equal(records.size, 1);
  const deleted = once(events, 'deleted');
  scene.failure = undefined;
  await deleted;
  assert.equal(records.size, 0);
});

test('after close nobody looks any more, and the record stays for the next daemon', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { deletions, records, scene } = makeScene();
  scene.users = ['somebody'];
  await deletions.attempt(RECORD);
  deletions.close();
  t.mock.timers.tick(60_000);
  assert.deepEqual([scene.looks, records.size], [1, 1]);
  assert.deepEqual(await deletions.attempt(RECORD), ['somebody']);
  t.mock.timers.tick(60_000);
  assert.equal(scene.looks, 2);
});

test('it is looked less and less often', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { deletions, scene } = makeScene();
  scene.users = ['somebody'];
  await deletions.attempt(RECORD);
  const looksAfter = async (ms: number): Promise<number> => {
    t.mock.timers.tick(ms);
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
    return scene.looks;
  };
  assert.equal(await looksAfter(250), 2);
  assert.equal(await looksAfter(250), 2);
  assert.equal(await looksAfter(250), 3);
  assert.equal(await looksAfter(999), 3);
  assert.equal(await looksAfter(1), 4);
});
