/** Each system call of a swap for itself: what lets it through, and what makes it EROFS. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { GenerationId, ProjectionId } from '../../src/base/ids.ts';
import { GenerationDrain } from '../../src/projection/generation-drain.ts';
import { ProjectionNodes } from '../../src/projection/projection-nodes.ts';
import { ProjectionSwaps, readOnly } from '../../src/projection/projection-swaps.ts';
import type { ProjectionRecord } from '../../src/projection/records.ts';
import { SwapOverlay } from '../../src/projection/swap-overlay.ts';
import { CatalogScene, CREATED_AT_MS } from './helpers/catalog-scene.ts';
import { caller, resent } from './helpers/tree-harness.ts';

const NOW_MS = CREATED_AT_MS + 5_000;
const REFUSED = { code: 'READ_ONLY' };

class SwapScene extends CatalogScene {
  readonly overlay: SwapOverlay = new SwapOverlay();
  readonly swaps: ProjectionSwaps;
  readonly id: ProjectionId;
  readonly forgotten: GenerationId[] = [];

  constructor(t: TestContext) {
    super(t);
    const { catalog, overlay, pending } = this;
    const drain = new GenerationDrain({
      catalog,
      overlay,
      lookups: this.references,
      kernelCache: { invalidateEntry() {}, invalidateNode() {} },
      graceMs: 1_000,
      onForgotten: (id) => this.forgotten.push(id),
    });
    t.after(() => drain.close());
    const nodes = new ProjectionNodes(catalog, overlay, pending);
    const publisher = this.publisher(NOW_MS);
    this.swaps = new ProjectionSwaps({ catalog, publisher, pending, nodes, overlay, drain });
    this.id = this.create('web');
  }

  get directory(): { id: ProjectionId; record: ProjectionRecord } {
    return { id: this.id, record: this.catalog.projection(this.id) as ProjectionRecord };
  }

  nameOf(generation: GenerationId): string {
    return this.staged.get(generation)?.directory ?? '';
  }

  /** Stages a generation and makes its names, up to the rename. */
  async prepare(files: Readonly<Record<string, string>>): Promise<GenerationId> {
    const generation = await this.stage(this.id, files);
    this.swaps.makeGeneration(this.directory, this.nameOf(generation));
    this.swaps.makeStagingLink(this.directory, this.nameOf(generation));
    return generation;
  }

  /** A live projection whose swap the store knows in full. */
  async live(files: Readonly<Record<string, string>>): Promise<GenerationId> {
    this.swaps.makeProjection(caller, 'web');
    const generation = await this.prepare(files);
    await this.swaps.publish(this.directory, caller);
    this.catalog.settle(this.id, Object.keys(files), []);
    return generation;
  }
}

describe('ProjectionSwaps.makeProjection', () => {
  it('lets through the projection that is being created, once', (t) => {
    const scene = new SwapScene(t);
    assert.equal(scene.swaps.makeProjection(caller, 'web'), scene.id);
    assert.throws(() => scene.swaps.makeProjection(caller, 'web'), { code: 'ALREADY_EXISTS' });
    assert.equal(scene.swaps.makeProjection(resent, 'web'), scene.id, 'a repeated call was done already');
  });

  it('refuses a name that nobody asked the daemon for', (t) => {
    const scene = new SwapScene(t);
    assert.throws(() => scene.swaps.makeProjection(caller, 'other'), REFUSED);
    assert.throws(() => scene.swaps.makeProjection(resent, 'other'), REFUSED);
  });

  it('forgets the projections of which the store knows no more', async (t) => {
    const scene = new SwapScene(t);
    await scene.catalog.beginDelete(scene.id);
    scene.swaps.removeProjection(caller, 'web');
    assert.deepEqual([...scene.overlay.gone], [scene.id]);
    await scene.catalog.finishDelete(scene.id);
    scene.create('next');
    scene.swaps.makeProjection(caller, 'next');
    assert.deepEqual([...scene.overlay.gone], []);
  });
});

describe('ProjectionSwaps.makeGeneration and makeStagingLink', () => {
  it('let through the name of a staged generation only', async (t) => {
    const scene = new SwapScene(t);
    const published = await scene.live({ a: '1' });
    const staged = await scene.stage(scene.id, { a: '2' });
    const { swaps, directory } = scene;
    for (const name of ['..2026_01_01_00_00_00.9', scene.nameOf(published), 'a']) {
      assert.throws(() => swaps.makeGeneration(directory, name), REFUSED, name);
      assert.throws(() => swaps.makeStagingLink(directory, name), REFUSED, name);
    }
    assert.equal(swaps.makeGeneration(directory, scene.nameOf(staged)), staged);
    assert.equal(swaps.makeStagingLink(directory, scene.nameOf(staged)), staged);
  });

  it('refuse a generation that was given up', async (t) => {
    const scene = new SwapScene(t);
    const staged = await scene.stage(scene.id, { a: '1' });
    scene.pending.abort(staged, false);
    assert.throws(() => scene.swaps.makeGeneration(scene.directory, scene.nameOf(staged)), REFUSED);
    assert.throws(() => scene.swaps.makeStagingLink(scene.directory, scene.nameOf(staged)), REFUSED);
  });

  it('refuse a generation of another projection', async (t) => {
    const scene = new SwapScene(t);
    const other = await scene.stage(scene.create('other'), { a: '1' });
    assert.throws(() => scene.swaps.makeGeneration(scene.directory, scene.nameOf(other)), REFUSED);
  });
});

describe('ProjectionSwaps.publish', () => {
  it('publishes what ..data_tmp names, at the time of the rename', async (t) => {
    const scene = new SwapScene(t);
    const generation = await scene.prepare({ a: '1' });
    await scene.swaps.publish(scene.directory, caller);
    const { record } = scene.directory;
    assert.deepEqual([record.generation, record.state, record.updatedAtMs], [generation, 'live', NOW_MS]);
    assert.equal(scene.overlay.get(scene.id), undefined);
  });

  it('starts the grace period of the replaced generation', async (t) => {
    const scene = new SwapScene(t);
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const first = await scene.live({ a: '1' });
    await scene.prepare({ a: '2' });
    await scene.swaps.publish(scene.directory, caller);
    assert.deepEqual(scene.forgotten, []);
    t.mock.timers.tick(1_000);
    assert.deepEqual(scene.forgotten, [first]);
  });

  it('without ..data_tmp is refused, unless it is a repetition of what was done', async (t) => {
    const scene = new SwapScene(t);
    await assert.rejects(async () => scene.swaps.publish(scene.directory, caller), REFUSED);
    await assert.rejects(
      async () => scene.swaps.publish(scene.directory, resent),
      REFUSED,
      'nothing was ever published',
    );
    const generation = await scene.live({ a: '1' });
    await scene.swaps.publish(scene.directory, resent);
    await assert.rejects(async () => scene.swaps.publish(scene.directory, caller), REFUSED);
    assert.deepEqual([scene.directory.record.generation, scene.directory.record.number], [generation, 1]);
  });

  it('of a generation that was given up after its link was made is refused', async (t) => {
    const scene = new SwapScene(t);
    const generation = await scene.prepare({ a: '1' });
    scene.pending.abort(generation, false);
    await assert.rejects(async () => scene.swaps.publish(scene.directory, caller), REFUSED);
    assert.equal(scene.directory.record.generation, 0);
  });
});

describe('ProjectionSwaps.announceLink', () => {
  it('lets through the links of the published generation, once', async (t) => {
    const scene = new SwapScene(t);
    await scene.prepare({ a: '1' });
    const announce = (who = caller): number => scene.swaps.announceLink(scene.directory, who, 'a', '..data/a');
    assert.throws(() => announce(), REFUSED, 'not before the swap: it would dangle');
    await scene.swaps.publish(scene.directory, caller);
    assert.equal(announce(), scene.catalog.link(scene.id, 'a')?.node);
    assert.throws(() => announce(), { code: 'ALREADY_EXISTS' });
    assert.equal(announce(resent), scene.catalog.link(scene.id, 'a')?.node);
  });

  it('refuses another target and another name', async (t) => {
    const scene = new SwapScene(t);
    await scene.prepare({ a: '1' });
    await scene.swaps.publish(scene.directory, caller);
    for (const target of ['/etc/shadow', '..data/b', '../other/..data/a', '']) {
      assert.throws(() => scene.swaps.announceLink(scene.directory, caller, 'a', target), REFUSED, target);
    }
    assert.throws(() => scene.swaps.announceLink(scene.directory, caller, 'b', '..data/b'), REFUSED);
  });
});

describe('ProjectionSwaps.unlink', () => {
  it('takes away a link only when its file is published no more', async (t) => {
    const scene = new SwapScene(t);
    await scene.live({ a: '1', b: '2' });
    assert.throws(() => scene.swaps.unlink(scene.directory, caller, 'a'), REFUSED);
    await scene.prepare({ b: '3' });
    assert.throws(() => scene.swaps.unlink(scene.directory, caller, 'a'), REFUSED, 'still what ..data shows');
    await scene.swaps.publish(scene.directory, caller);
    scene.swaps.unlink(scene.directory, caller, 'a');
    assert.throws(() => scene.swaps.unlink(scene.directory, caller, 'a'), { code: 'NOT_FOUND' });
    scene.swaps.unlink(scene.directory, resent, 'a');
  });

  it('takes away ..data only from a projection that is being deleted', async (t) => {
    const scene = new SwapScene(t);
    await scene.live({ a: '1' });
    assert.throws(() => scene.swaps.unlink(scene.directory, caller, '..data'), REFUSED);
    await scene.catalog.beginDelete(scene.id);
    scene.swaps.unlink(scene.directory, caller, '..data');
    scene.swaps.unlink(scene.directory, caller, 'a');
    assert.ok(scene.overlay.dataRemoved.has(scene.id));
  });

  it('takes away ..data_tmp only of a generation that was given up', async (t) => {
    const scene = new SwapScene(t);
    assert.throws(() => scene.swaps.unlink(scene.directory, caller, '..data_tmp'), { code: 'NOT_FOUND' });
    scene.swaps.unlink(scene.directory, resent, '..data_tmp');
    const generation = await scene.prepare({ a: '1' });
    assert.throws(() => scene.swaps.unlink(scene.directory, caller, '..data_tmp'), REFUSED);
    scene.pending.abort(generation, false);
    scene.swaps.unlink(scene.directory, caller, '..data_tmp');
    assert.equal(scene.overlay.get(scene.id)?.stagingLink, undefined);
  });
});

describe('ProjectionSwaps.removeGeneration', () => {
  it('takes away only the directory of a generation that was given up', async (t) => {
    const scene = new SwapScene(t);
    const published = await scene.live({ a: '1' });
    const staged = await scene.prepare({ a: '2' });
    const remove = (generation: GenerationId, who = caller): void =>
      scene.swaps.removeGeneration(scene.directory, who, scene.nameOf(generation));
    assert.throws(() => remove(published), REFUSED);
    assert.throws(() => remove(staged), REFUSED);
    scene.pending.abort(staged, false);
    remove(staged);
    assert.throws(() => remove(staged), REFUSED, 'its directory is gone already');
    remove(staged, resent);
  });
});

describe('ProjectionSwaps.removeProjection', () => {
  it('takes away only what is being deleted, and drops its content', async (t) => {
    const scene = new SwapScene(t);
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const generation = await scene.live({ a: '1' });
    assert.throws(() => scene.swaps.removeProjection(caller, 'web'), REFUSED);
    await scene.catalog.beginDelete(scene.id);
    scene.swaps.removeProjection(caller, 'web');
    assert.throws(() => scene.swaps.removeProjection(caller, 'web'), { code: 'NOT_FOUND' });
    scene.swaps.removeProjection(resent, 'web');
    await scene.catalog.finishDelete(scene.id);
    t.mock.timers.tick(1_000);
    assert.deepEqual(scene.forgotten, [generation], 'once, although the call was repeated');
  });

  it('says NOT_FOUND for a name that is not there', (t) => {
    const scene = new SwapScene(t);
    assert.throws(() => scene.swaps.removeProjection(caller, 'other'), { code: 'NOT_FOUND' });
  });
});

it('readOnly says where projections are written', () => {
  assert.match(readOnly().message, /control API/);
});
