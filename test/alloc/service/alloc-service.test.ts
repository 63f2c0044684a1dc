import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { PassThrough } from 'node:stream';
import { type TestContext, test } from 'node:test';
import type { AllocBuilder } from '../../../src/alloc/service/alloc-builder.ts';
import { type AllocRecord, AllocRecords } from '../../../src/alloc/service/alloc-records.ts';
import { AllocService } from '../../../src/alloc/service/alloc-service.ts';
import type { AllocSpec, TaskSpec } from '../../../src/alloc/service/alloc-spec.ts';
import type { AllocTransfers } from '../../../src/alloc/service/alloc-transfers.ts';
import type { PresentedState } from '../../../src/alloc/service/presented-projections.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLog } from '../../../src/base/log.ts';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import type { Store } from '../../../src/store/store.ts';
import { only } from '../../server/fake-operations.ts';
import { makeStateDirectory, openStore } from '../../store/state-directory.ts';

const task = (name: string, more: Partial<TaskSpec> = {}): TaskSpec => ({
  ...{ name, isolation: 'none', secretsSizeBytes: 4096, secretsOnDisk: false, chroot: {}, projections: [] },
  ...more,
});
const alloc = (id: string, ...tasks: TaskSpec[]): AllocSpec => ({ id, tasks });

/** What the service has had done, and what the next work of that name throws. */
class Work {
  readonly done: string[] = [];
  readonly failures = new Map<string, unknown>();
  readonly existing = new Set<string>();
  users: string[] = [];
  lost: string[] = [];
  isSnapshotRunning = false;
  snapshotMayEnd: Promise<unknown> = Promise.resolve();
  /** Allocs with a transfer that was begun and has not ended. */
  readonly begun: string[] = [];

  note(what: string, ...about: readonly string[]): void {
    this.done.push([what, ...about].join(' '));
    const failure = this.failures.get(what);
    if (failure === undefined) return;
    this.failures.delete(what);
    throw failure;
  }

  readonly builder = {
    resolveUsers: async () => this.note('resolveUsers'),
    make: async ({ id }: AllocSpec, building?: { tasks: readonly string[] }) => {
      this.note('make', id, ...(building === undefined ? [] : [`new:${building.tasks.join()}`]));
      return this.lost;
    },
    present: async ({ tasks }: AllocSpec): Promise<PresentedState[]> =>
      tasks.flatMap((one) =>
        one.projections.map((wanted) => ({ task: one.name, ...wanted, presented: this.existing.has(wanted.name) })),
      ),
    withdraw: async ({ id }: AllocSpec, tasks?: readonly TaskSpec[]) =>
      this.note('withdraw', id, ...(tasks === undefined ? [] : [tasks.map(({ name }) => name).join()])),
    move: async (from: AllocSpec, to: AllocSpec, tasks: readonly string[]) =>
      this.note('move', from.id, to.id, tasks.join()),
    requireRoom: async (from: AllocSpec, to: AllocSpec) => this.note('requireRoom', from.id, to.id),
    users: async () => this.users,
    destroy: async ({ id }: AllocSpec) => this.note('destroy', id),
  } as unknown as AllocBuilder;

  readonly transfers = {
    isBusy: (id: string) => this.isSnapshotRunning || this.begun.includes(id),
    begin: (id: string) => {
      this.begun.push(id);
      const end = (): void => void this.begun.splice(this.begun.indexOf(id), 1);
      return { signal: new AbortController().signal, end };
    },
    breakOff: (id: string) => {
      this.note('abort', id);
      return () => undefined;
    },
    close: () => undefined,
    mend: async () => undefined,
    snapshot: async ({ id }: AllocSpec) => {
      this.note('snapshot', id);
      await this.snapshotMayEnd;
      return { entries: 1, bytes: 2 };
    },
    restore: async ({ id }: AllocSpec, input: AsyncIterable<Uint8Array>) => {
      for await (const _ of input);
      this.note('restore', id);
      return { replaced: ['alloc/data'], entries: 1, bytes: 2 };
    },
  } as unknown as AllocTransfers;
}

interface Scene {
  readonly work: Work;
  readonly store: Store;
  readonly records: AllocRecords;
  readonly ready: string[];
  readonly service: AllocService;
  /** Another daemon on the same store. */
  again(): AllocService;
}

function makeScene(t: TestContext): Scene {
  const store = openStore(t, makeStateDirectory(t));
  const work = new Work();
  const ready: string[] = [];
  const again = (): AllocService => {
    const service = new AllocService({
      ...{ store, builder: work.builder, transfers: work.transfers, clock: systemClock, log: silentLog },
      exists: (name) => work.existing.has(name),
      onReady: ({ id }) => void ready.push(`+${id}`),
      onLeave: (id) => void ready.push(`-${id}`),
      onGone: (id) => void ready.push(`gone ${id}`),
    });
    t.after(() => service.close());
    return service;
  };
  return { work, store, records: new AllocRecords(store), ready, again, service: again() };
}

const state = (service: AllocService, id: string): string => service.get(id).state;

test('create: the wish is recorded before anything is made, and it is ready when all is there', async (t) => {
  const { service, work, ready } = makeScene(t);
  assert.equal(await service.apply(alloc('a', task('web'))), 'created');
  assert.deepEqual(work.done, ['resolveUsers', 'make a new:web']);
  assert.equal(state(service, 'a'), 'ready');
  assert.equal(ready.at(-1), '+a');
  assert.equal(await service.apply(alloc('a', task('web'))), 'unchanged');
  await assert.rejects(service.apply(alloc('a', task('web')), true), { code: 'ALREADY_EXISTS' });
});

test('a new alloc that cannot be made leaves nothing; a user that does not exist, not even a record for a moment', async (t) => {
  const { service, work } = makeScene(t);
  work.failures.set('make', new DunnageError('NO_SPACE', 'full'));
  await assert.rejects(service.apply(alloc('a', task('web'))), { code: 'NO_SPACE' });
  assert.deepEqual([work.done.at(-1), service.list()], ['destroy a', []]);
  work.failures.set('resolveUsers', new DunnageError('NOT_FOUND', 'no such user'));
  await assert.rejects(service.apply(alloc('b', task('web'))), { code: 'NOT_FOUND' });
  assert.equal(work.done.at(-1), 'resolveUsers');
});

test('a changed manifest adds tasks and presents other projections; what only a new alloc can have changes nothing', async (t) => {
  const { service, work } = makeScene(t);
  await service.apply(alloc('a', task('web')));
  const projections = [{ name: 'db', path: 'local/db' }];
  assert.equal(await service.apply(alloc('a', task('web', { projections }), task('log'))), 'configured');
  assert.deepEqual(work.done.slice(-2), ['withdraw a web', 'make a new:log']);
  await assert.rejects(service.apply(alloc('a', task('web'))), { code: 'IMMUTABLE' });
  assert.deepEqual(
    service.get('a').spec.tasks.map(({ name }) => name),
    ['web', 'log'],
  );
});

test('an alloc that breaks says why, is mended by the next start or by its manifest, and stops nobody else', async (t) => {
  const { service, work, again } = makeScene(t);
  await service.apply(alloc('a', task('web')));
  await service.apply(alloc('b', task('web')));
  work.failures.set('make', new DunnageError('IO', 'the disk is gone'));
  const second = again();
  await second.recover();
  assert.deepEqual([state(second, 'a'), state(second, 'b')], ['broken', 'ready']);
  assert.deepEqual(second.warnings(), ['alloc a is broken: the disk is gone']);
  await assert.rejects(second.restore('a', only()), { code: 'BUSY', message: /broken: the disk is gone/ });
  const third = again();
  await third.recover();
  assert.equal(state(third, 'a'), 'ready');
});

test('what a daemon has left half-made is finished by the next, as new as it was', async (t) => {
  const { service, work, records } = makeScene(t);
  const spec = alloc('a', task('web'));
  await records.create({ spec, createdAtMs: 1, state: 'creating', building: { shared: true, tasks: ['web'] } });
  await service.recover();
  assert.deepEqual([work.done, state(service, 'a')], [['make a new:web'], 'ready']);
});

test('secrets that went with a reboot are said until the manifest is applied again', async (t) => {
  const { service, work, again } = makeScene(t);
  await service.apply(alloc('a', task('web'), task('log')));
  work.lost = ['web'];
  const second = again();
  await second.recover();
  assert.match(second.warnings().join(), /alloc a: secrets of web are empty/);
  work.lost = [];
  const third = again();
  await third.recover();
  assert.deepEqual(third.get('a').secretsLost?.tasks, ['web']);
  assert.equal(await third.apply(alloc('a', task('web'), task('log'))), 'configured');
  assert.deepEqual(third.warnings(), []);
});

test('delete waits for its users over a restart, refuses other work meanwhile, and then nothing is left', async (t) => {
  const { service, work, again, ready } = makeScene(t);
  await service.apply(alloc('a', task('web')));
  work.users = ['pid 7 (sh) is there'];
  assert.deepEqual(await service.delete('a'), ['pid 7 (sh) is there']);
  assert.deepEqual(service.warnings(), ['alloc a is being deleted, and waits: pid 7 (sh) is there']);
  for (const attempt of [
    () => service.apply(alloc('a', task('web'))),
    () => service.restore('a', only()),
    () => service.snapshot('a', new PassThrough()),
  ]) {
    await assert.rejects(attempt, { code: 'BUSY', message: /is being deleted, and waits: pid 7/ });
  }
  await service.close();
  work.users = [];
  const second = again();
  await second.recover();
  assert.deepEqual([second.list(), work.done.at(-1), ready.at(-1)], [[], 'destroy a', 'gone a']);
  await assert.rejects(async () => second.delete('a'), { code: 'NOT_FOUND' });
});

test('delete breaks off a transfer that is under way', async (t) => {
  const { service, work } = makeScene(t);
  await service.apply(alloc('a', task('web')));
  const aborted = new EventEmitter();
  const input = (async function* () {
    await once(aborted, 'abort');
    yield Buffer.alloc(1);
    throw new DunnageError('INTERRUPTED', 'the alloc a is being deleted');
  })();
  const restoring = service.restore('a', input);
  const deleting = service.delete('a');
  assert.ok(work.done.includes('abort a'));
  const refused = assert.rejects(restoring, { code: 'INTERRUPTED' });
  while (aborted.listenerCount('abort') === 0) await new Promise(setImmediate);
  aborted.emit('abort');
  await refused;
  assert.deepEqual(await deleting, []);
  assert.deepEqual(service.list(), []);
});

test('restore and move want the alloc for themselves', async (t) => {
  const { service, work } = makeScene(t);
  await service.apply(alloc('a', task('web')));
  await service.apply(alloc('b', task('web'), task('log')));
  work.users = ['pid 7 (sh) is there'];
  await assert.rejects(service.restore('a', only()), { code: 'BUSY', message: /pid 7/ });
  await assert.rejects(service.move('a', 'b'), { code: 'BUSY' });
  work.users = [];
  work.isSnapshotRunning = true;
  await assert.rejects(service.restore('a', only()), { code: 'BUSY', message: /a snapshot/ });
  work.isSnapshotRunning = false;
  await service.restore('a', only());
  assert.deepEqual(work.done.slice(-3), ['withdraw a', 'restore a', 'make a']);
  assert.deepEqual(await service.move('a', 'b'), ['web']);
  assert.ok(work.done.includes('move a b web'));
  await assert.rejects(service.move('a', 'a'), { code: 'INVALID_ARGUMENT' });
});

test('what waits behind a snapshot for the same turn finds it begun: a move and a restore are refused', async (t) => {
  const { service, work } = makeScene(t);
  await service.apply(alloc('a', task('web')));
  await service.apply(alloc('b', task('web')));
  const events = new EventEmitter();
  work.snapshotMayEnd = once(events, 'end');
  const slow = (async function* () {
    await once(events, 'input');
    yield Buffer.alloc(1);
  })();
  const restoring = service.restore('a', slow);
  const snapshot = service.snapshot('a', new PassThrough());
  const refused = [
    assert.rejects(service.move('a', 'b'), { code: 'BUSY', message: /a snapshot/ }),
    assert.rejects(service.restore('a', only()), { code: 'BUSY', message: /a snapshot/ }),
  ];
  while (events.listenerCount('input') === 0) await new Promise(setImmediate);
  events.emit('input');
  await restoring;
  await Promise.all(refused);
  assert.equal(work.done.includes('move a b web'), false);
  events.emit('end');
  await snapshot;
  assert.deepEqual(await service.move('a', 'b'), ['web']);
});

test('a restore that fails leaves the alloc ready', async (t) => {
  const { service, work } = makeScene(t);
  await service.apply(alloc('a', task('web')));
  work.failures.set('restore', new DunnageError('INVALID_ARGUMENT', 'no tar'));
  await assert.rejects(service.restore('a', only()), { code: 'INVALID_ARGUMENT' });
  assert.equal(state(service, 'a'), 'ready');
});

test('a move that is refused changes nothing, and is not made later', async (t) => {
  const { service, work, again } = makeScene(t);
  await service.apply(alloc('a', task('web')));
  await service.apply(alloc('b', task('web')));
  work.failures.set('requireRoom', new DunnageError('NOT_EMPTY', 'web/local of alloc b is not empty'));
  await assert.rejects(service.move('a', 'b'), { code: 'NOT_EMPTY' });
  assert.deepEqual([state(service, 'a'), state(service, 'b'), service.get('b').moving], ['ready', 'ready', undefined]);
  await again().recover();
  assert.ok(!work.done.includes('move a b web'));
});

test('a move that died takes nothing from a later alloc of the same name', async (t) => {
  const { service, work, records, again } = makeScene(t);
  await service.apply(alloc('a', task('web')));
  await service.apply(alloc('b', task('web')));
  const moving = { from: 'a', fromCreatedAtMs: service.get('a').createdAtMs - 1, tasks: ['web'] };
  await records.transition({ ...(records.get('b') as AllocRecord), state: 'moving', moving });
  const second = again();
  await second.recover();
  assert.deepEqual([state(second, 'b'), second.get('b').moving], ['ready', undefined]);
  assert.ok(!work.done.includes('move a b web'));
});

test('a move that died is finished by the next daemon, with both turns held, also when it had broken', async (t) => {
  const { service, work, records, again } = makeScene(t);
  await service.apply(alloc('a', task('web')));
  await service.apply(alloc('b', task('web')));
  const moving = { from: 'a', fromCreatedAtMs: service.get('a').createdAtMs, tasks: ['web'] };
  await records.transition({ ...(records.get('b') as AllocRecord), state: 'moving', moving });
  work.failures.set('move', new DunnageError('NO_SPACE', 'full'));
  const second = again();
  await second.recover();
  assert.equal(state(second, 'b'), 'broken');
  assert.equal(await second.apply(alloc('b', task('web'))), 'configured');
  assert.deepEqual([state(second, 'b'), work.done.filter((what) => what === 'move a b web').length], ['ready', 2]);
  assert.equal(second.get('b').moving, undefined);
});

test('a projection that is missing is waited for, and presented when it comes; a swap asks for nothing', async (t) => {
  const { service, work } = makeScene(t);
  await service.apply(alloc('a', task('web', { projections: [{ name: 'db', path: 'local/db' }] })));
  assert.deepEqual(service.get('a').presented, [{ task: 'web', name: 'db', path: 'local/db', presented: false }]);
  work.existing.add('db');
  service.projectionChanged('other');
  service.projectionChanged('db');
  await service.apply(alloc('a', task('web', { projections: [{ name: 'db', path: 'local/db' }] })));
  assert.equal(service.get('a').presented[0]?.presented, true);
  work.existing.delete('db');
  service.projectionChanged('db');
  await service.apply(alloc('a', task('web', { projections: [{ name: 'db', path: 'local/db' }] })));
  assert.equal(service.get('a').presented[0]?.presented, false);
});

test('what the end of the daemon cuts off is not broken: the next one goes on with it', async (t) => {
  const { service, work, again } = makeScene(t);
  work.failures.set('make', new DunnageError('INTERRUPTED', 'the daemon is ending'));
  const creating = service.apply(alloc('a', task('web')));
  const closing = service.close();
  await assert.rejects(creating, { code: 'INTERRUPTED' });
  await closing;
  assert.equal(state(service, 'a'), 'creating');
  const second = again();
  await second.recover();
  assert.equal(state(second, 'a'), 'ready');
});
