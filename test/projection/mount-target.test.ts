/** The target on the mount for itself; whole writes are tested in projection-service.test.ts and in test/kernel. */
import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { GenerationId, ProjectionId } from '../../src/base/ids.ts';
import { limits } from '../../src/base/limits.ts';
import { silentLog } from '../../src/base/log.ts';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import { MountTarget, type MountTargetOptions, operationError } from '../../src/projection/mount-target.ts';
import type { MountPayload } from '../../src/projection/payload.ts';
import { RecentContent } from '../../src/projection/recent-content.ts';
import { STAGED_FILES_MAX, type StagedGeneration, type Stager } from '../../src/projection/staged-generation.ts';
import type { ThroughMount } from '../../src/vfs/ports.ts';
import { payload, TreeHarness, wanted } from './helpers/tree-harness.ts';

const NAME = '..2026_11_18_00_00_00.00000000000000000007';
const OTHER_NAME = '..2026_11_18_00_00_00.00000000000000000008';

/** Too many to be put into the store by the commit of a swap. */
const manyFiles = (): MountPayload =>
  payload(Object.fromEntries(Array.from({ length: STAGED_FILES_MAX + 1 }, (_, index) => [`file-${index}`, 'x'])));

let harness: TreeHarness;
let id: ProjectionId;
let stager: Stager;
let publisher: MountTargetOptions['publisher'];
let staged: StagedGeneration[];
let finished: GenerationId[];

beforeEach(async () => {
  harness = await TreeHarness.create();
  await harness.service.write(wanted('web', { a: '1', 'b/c': '2' }));
  id = harness.catalog.findProjection('web') as ProjectionId;
  harness.operations.length = 0;
  staged = [];
  finished = [];
  publisher = undefined;
  stager = {
    ...harness.stager,
    async stage(generation) {
      staged.push(generation);
      await harness.stager.stage(generation);
    },
    finishAbort(generation) {
      finished.push(generation);
      harness.stager.finishAbort(generation);
    },
  };
});
afterEach(() => harness.close());

function makeTarget(throughMount: ThroughMount = harness.throughMount): MountTarget {
  return new MountTarget({
    recent: new RecentContent(),
    catalog: harness.catalog,
    blobs: harness.blobs,
    throughMount,
    clock: harness.clock,
    projection: id,
    directory: 'web',
    protection: 'plain',
    audited: false,
    stager,
    log: silentLog,
    ...(publisher && { publisher }),
    interrupted: harness.interrupted,
  });
}

/** An agent of which every call has these outcomes, whatever is asked of it. */
const answering = (...outcomes: number[]): ThroughMount => ({ run: () => Promise.resolve(outcomes) });
const made = (): string[] =>
  harness.operations.map(
    ({ operation, errno }) => `${operation.kind} ${operation.name}${errno === 0 ? '' : ' failed'}`,
  );

describe('MountTarget.inspect', () => {
  it('knows the published content by digest, mode and owner, file by file', async () => {
    const target = makeTarget();
    const same = payload({ a: '1', 'b/c': '2' });
    const isUnchanged = async (files: typeof same): Promise<boolean> => (await target.inspect(files)).unchanged;
    assert.equal(await isUnchanged(same), true);
    assert.equal(await isUnchanged(payload({ a: '1', 'b/c': '3' })), false);
    assert.equal(await isUnchanged(payload({ a: '1', 'b/c': '22' })), false);
    assert.equal(await isUnchanged(payload({ a: '1' })), false, 'a file less');
    assert.equal(await isUnchanged(payload({ a: '1', 'b/c': '2', d: '' })), false, 'a file more');
    assert.equal(await isUnchanged(payload({ a: '1', 'b/d': '2' })), false, 'another name');
    assert.equal(await isUnchanged(payload({ a: '1', 'b/c': '2' }, 0o600)), false);
    assert.equal(await isUnchanged(new Map([...same, ['a', { data: Buffer.from('1'), mode: 0o644, gid: 5 }]])), false);
  });

  it('tells the published directory and the names that watchers see', async () => {
    const target = makeTarget();
    const { directoryName, visibleNames, brokenNames } = await target.inspect(payload({}));
    const generation = harness.catalog.projection(id)?.generation as GenerationId;
    assert.equal(directoryName, harness.catalog.generation(generation)?.directory);
    assert.deepEqual([...visibleNames].sort(), ['a', 'b']);
    assert.equal(brokenNames.size, 0);
    await target.stage(NAME, payload({ new: '3' }));
    assert.equal((await target.inspect(payload({}))).visibleNames.has('new'), false, 'only prepared');
  });

  it('has nothing to tell before the first swap', async () => {
    const other = { directory: 'other', kind: 'Projection', namespace: 'default', name: 'other' } as const;
    id = harness.catalog.create({ ...other, immutable: false, keep: 1, nowMs: 0 });
    const published = await makeTarget().inspect(payload({}));
    assert.deepEqual(published, {
      directoryName: undefined,
      unchanged: false,
      visibleNames: new Set(),
      brokenNames: new Set(),
    });
  });
});

describe('MountTarget.stage', () => {
  it('writes what nobody can see', async () => {
    const target = makeTarget();
    await target.stage(NAME, payload({ a: 'new', more: 'x' }));
    assert.deepEqual(harness.operations, []);
    assert.equal(harness.resolve(`web/${NAME}`), undefined);
    assert.equal(await harness.readFile('web/a'), '1');
  });

  it('leaves the store alone, but for what is large', async () => {
    const before = harness.blobs.statistics().blobs;
    await makeTarget().stage(NAME, payload({ a: 'new' }));
    assert.deepEqual([harness.blobs.statistics().blobs, [...harness.catalog.allStaged()]], [before, []]);
    await makeTarget().stage(OTHER_NAME, manyFiles());
    assert.equal(staged[1]?.isStored, true);
    assert.deepEqual([...harness.catalog.allStaged()], [staged[1]?.id]);
  });

  it('a large generation holds one reference for each file, and gives all back', async () => {
    const target = makeTarget();
    const before = harness.blobs.statistics().blobs;
    const large = { data: Buffer.alloc(limits.inlineBlobBytesMax + 1), mode: 0o644 };
    await target.stage(NAME, new Map([...manyFiles(), ['one', large], ['two', large]]));
    assert.equal(harness.blobs.statistics().blobs, before + 2);
    await target.discard(NAME);
    assert.deepEqual([...harness.catalog.allStaged()], []);
    assert.equal(harness.blobs.statistics().blobs, before);
    assert.equal(await harness.blobs.collect(), 1);
  });

  it('leaves no content behind if a large generation cannot be stored', async () => {
    const target = makeTarget();
    const before = harness.blobs.statistics();
    // A name that is longer than a key of the store can be.
    await assert.rejects(target.stage('x'.repeat(4096), manyFiles()), { code: 'NAME_TOO_LONG' });
    assert.deepEqual(harness.blobs.statistics(), before);
    assert.equal([...harness.catalog.allStaged()].length, 0);
    // Fails while anything is pinned as prepared.
    await harness.blobs.sweep();
  });
});

describe('MountTarget.publish', () => {
  it('makes directory, link and rename, in this order', async () => {
    const target = makeTarget();
    await target.stage(NAME, payload({ a: 'new' }));
    await target.publish(NAME);
    assert.deepEqual(made(), [`mkdir ${NAME}`, 'symlink ..data_tmp', 'rename ..data_tmp']);
    assert.equal(await harness.readFile('web/a'), 'new');
    // Fails while anything is pinned as prepared.
    await harness.blobs.sweep();
  });

  it('of a large generation needs no more than its names', async () => {
    const target = makeTarget();
    await target.stage(NAME, manyFiles());
    await target.publish(NAME);
    await target.updateLinks([...manyFiles().keys()], ['a', 'b']);
    assert.equal(await harness.readFile('web/file-7'), 'x');
    assert.deepEqual([...harness.catalog.allStaged()], []);
  });

  it('of what was never staged fails with the errno of the call, and changes nothing', async () => {
    await assert.rejects(makeTarget().publish(NAME), { code: 'IO', message: /cannot swap web: EROFS/ });
    assert.deepEqual(made(), [`mkdir ${NAME} failed`]);
    assert.equal(await harness.readFile('web/a'), '1');
  });

  it('tells a full disk from other failures, and an agent that did nothing from success', async () => {
    await assert.rejects(makeTarget(answering(0, 0, constants.errno.ENOSPC)).publish(NAME), { code: 'NO_SPACE' });
    await assert.rejects(makeTarget(answering()).publish(NAME), { code: 'IO', message: /tried nothing/ });
  });
});

describe('MountTarget.publish, of what was decided', () => {
  it('fails if the commit of what was announced could not be made, and takes no name back', async () => {
    const target = makeTarget(answering(0, 0, 0));
    await target.stage(NAME, payload({ a: 'new' }));
    await assert.rejects(target.publish(NAME), { code: 'IO', message: /the swap of web was announced/ });
  });

  it('has its record begun while the names are made, and ended when it is published', async () => {
    const told: string[] = [];
    publisher = {
      reserve: (generation) => ({ ...generation, ahead: 5 }),
      expect: ({ ahead }) => told.push(`expect ${ahead} after ${harness.operations.length}`),
      settle: ({ ahead }) => told.push(`settle ${ahead} after ${harness.operations.length}`),
      giveUp: async ({ ahead }) => void told.push(`give up ${ahead} after ${harness.operations.length}`),
    };
    const target = makeTarget();
    await target.stage(NAME, payload({ a: 'new' }));
    assert.deepEqual(told, []);
    await target.publish(NAME);
    const [first = '', second] = told;
    assert.match(first, /^expect 5 after [0-2]$/);
    assert.equal(second, 'settle 5 after 3');
  });
});

describe('MountTarget.discard, of what was begun ahead', () => {
  it('has its record made void before any name is taken back', async () => {
    const told: string[] = [];
    publisher = {
      reserve: (generation) => ({ ...generation, ahead: 5 }),
      expect: () => undefined,
      settle: () => told.push('settle'),
      giveUp: async ({ ahead }) => void told.push(`give up ${ahead} after ${harness.operations.length}`),
    };
    harness.beforeOperation = ({ kind }) => {
      if (kind === 'rename') throw new Error('the agent died');
    };
    const target = makeTarget();
    await target.stage(NAME, payload({ a: 'new' }));
    await assert.rejects(target.publish(NAME));
    const operations = harness.operations.length;
    harness.beforeOperation = () => undefined;
    await target.discard(NAME);
    assert.deepEqual(told, [`give up 5 after ${operations}`]);
    assert(harness.operations.length > operations);
  });
});

describe('MountTarget.discard', () => {
  const makeNames = (): Promise<readonly number[]> =>
    harness.throughMount.run('web', [
      { kind: 'mkdir', name: NAME, mode: 0o755 },
      { kind: 'symlink', name: '..data_tmp', target: NAME },
    ]);

  it('takes back the names of a swap that stopped before its rename', async () => {
    const target = makeTarget();
    await target.stage(NAME, payload({ new: '3' }));
    await makeNames();
    harness.operations.length = 0;
    await target.discard(NAME);
    assert.deepEqual(made(), ['unlink ..data_tmp', `rmdir ${NAME}`]);
    assert.deepEqual(finished, [staged[0]?.id]);
    assert.deepEqual(harness.interrupted.of(id), []);
    await assert.rejects(target.publish(NAME), { code: 'IO', message: /EROFS/ });
    await harness.blobs.sweep();
  });

  it('asks nothing of the mount if no name was made', async () => {
    const target = makeTarget();
    await target.stage(NAME, payload({ new: '3' }));
    await target.discard(NAME);
    assert.deepEqual([made(), finished], [[], [staged[0]?.id]]);
    assert.deepEqual(await harness.throughMount.run('web', [{ kind: 'mkdir', name: NAME, mode: 0o755 }]), [
      constants.errno.EROFS,
    ]);
  });

  it('leaves alone what was published, and what never was', async () => {
    const target = makeTarget();
    await target.stage(NAME, payload({ a: 'new' }));
    await target.publish(NAME);
    harness.operations.length = 0;
    await target.discard(NAME);
    await target.discard(OTHER_NAME);
    assert.deepEqual([harness.operations, finished], [[], []]);
    assert.equal(await harness.readFile('web/a'), 'new');
  });

  it('leaves alone what was published although its agent could not tell', async () => {
    const silent: ThroughMount = {
      async run(directory, operations) {
        await harness.throughMount.run(directory, operations);
        throw new DunnageError('IO', 'the agent died');
      },
    };
    const target = makeTarget(silent);
    await target.stage(NAME, payload({ a: 'new' }));
    await assert.rejects(target.publish(NAME), { code: 'IO' });
    await target.discard(NAME);
    assert.deepEqual(finished, []);
    assert.equal(await harness.readFile('web/a'), 'new');
  });

  it('leaves names that cannot be removed to the next sweep', async () => {
    const failing = makeTarget(answering(constants.errno.EIO));
    await failing.stage(NAME, payload({ a: 'new' }));
    await makeNames();
    await assert.rejects(failing.discard(NAME), { code: 'IO' });
    assert.deepEqual(finished, []);
    await makeTarget(answering(constants.errno.ENOENT)).sweep();
    assert.deepEqual(finished, [staged[0]?.id], 'names that are gone already are no failure');
  });
});

describe('MountTarget.sweep', () => {
  it('gives up what was begun for its projection, and nothing of others', async () => {
    const begin = async (directory: string): Promise<void> => {
      await makeTarget().stage(NAME, payload({ a: directory }));
      await harness.throughMount.run(directory, [{ kind: 'mkdir', name: NAME, mode: 0o755 }]);
    };
    await begin('web');
    await harness.service.write(wanted('other', { a: '1' }));
    id = harness.catalog.findProjection('other') as ProjectionId;
    await begin('other');
    const [mine, others] = staged;
    await makeTarget(answering(constants.errno.ENOENT)).sweep();
    assert.deepEqual(finished, [others?.id]);
    assert.deepEqual(
      [...harness.interrupted.entries()].map((name) => name.id),
      [mine?.id],
    );
  });
});

describe('MountTarget.updateLinks', () => {
  it('goes on after a name for which it was done already', async () => {
    const target = makeTarget();
    await target.stage(NAME, payload({ new: '1', newer: '2' }));
    await target.publish(NAME);
    await harness.throughMount.run('web', [
      { kind: 'symlink', name: 'new', target: '..data/new' },
      { kind: 'unlink', name: 'a' },
    ]);
    harness.operations.length = 0;
    await target.updateLinks(['new', 'newer'], ['a', 'b']);
    assert.deepEqual(made(), ['symlink new failed', 'symlink newer', 'unlink a failed', 'unlink b']);
    const links = [...harness.catalog.links(id)].map(({ name, visible }) => [name, visible]);
    assert.deepEqual(links, [
      ['new', true],
      ['newer', true],
    ]);
    assert.deepEqual([...harness.catalog.allUnsettled()], []);
  });

  it('leaves the projection unsettled if a link cannot be made', async () => {
    await makeTarget().stage(NAME, payload({ new: '1' }));
    await makeTarget().publish(NAME);
    await assert.rejects(makeTarget(answering(constants.errno.EIO)).updateLinks(['new'], []), { code: 'IO' });
    assert.equal(harness.catalog.link(id, 'new')?.visible, false);
    assert.deepEqual([...harness.catalog.allUnsettled()], [id]);
  });

  it('asks nothing of the mount when there is nothing to do', async () => {
    await makeTarget({ run: () => assert.fail('nothing to do') }).updateLinks([], []);
  });
});

describe('MountTarget.repairLinks', () => {
  it('completes the links of a swap that ended with its rename', async () => {
    const target = makeTarget();
    await target.stage(NAME, payload({ a: 'new', more: 'x' }));
    await target.publish(NAME);
    harness.operations.length = 0;
    await target.repairLinks();
    assert.deepEqual(made(), ['symlink more', 'unlink b']);
    assert.equal(await harness.readFile('web/more'), 'x');
    await target.repairLinks();
    assert.equal(harness.operations.length, 2, 'a second time there is nothing to do');
  });
});

describe('MountTarget.removeNames', () => {
  it('takes away every link and then ..data, once the projection is being deleted', async () => {
    const target = makeTarget();
    await assert.rejects(target.removeNames(), { code: 'IO', message: /EROFS/ });
    harness.operations.length = 0;
    await harness.catalog.beginDelete(id);
    await target.removeNames();
    assert.deepEqual(made(), ['unlink a', 'unlink b', 'unlink ..data']);
    await target.removeNames();
  });
});

it('operationError names the errno, and tells a full disk apart', () => {
  const failure = operationError('cannot swap web', constants.errno.EXDEV);
  assert.deepEqual([failure.code, failure.message], ['IO', 'cannot swap web: EXDEV through the mount']);
  assert.equal(operationError('x', constants.errno.ENOSPC).code, 'NO_SPACE');
  assert.match(operationError('x', 9999).message, /errno 9999/);
});
