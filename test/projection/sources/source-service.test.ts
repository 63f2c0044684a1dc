/** Sources from manifest to tree, with a real store, real host files and inotify, and no kernel. */
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { silentLog } from '../../../src/base/log.ts';
import { createAllocOperations } from '../../../src/daemon/allocs/alloc-operations.ts';
import { createControlOperations } from '../../../src/daemon/control-operations.ts';
import { createFileOperations } from '../../../src/daemon/file-operations.ts';
import { createHistoryOperations } from '../../../src/daemon/history-operations.ts';
import { createPoolOperations } from '../../../src/daemon/pools/pool-operations.ts';
import type { ControlOperations } from '../../../src/server/operations.ts';
import { exampleStatus, FakeOperations } from '../../server/fake-operations.ts';
import { until } from '../../tools/until.ts';
import { TreeHarness } from '../helpers/tree-harness.ts';

let harness: TreeHarness;
let operations: ControlOperations;
/** A folder of the host. */
let host: string;

function useHarness(): void {
  operations = createControlOperations({
    allocs: createAllocOperations(undefined, '/mnt/allocs'),
    pools: createPoolOperations(undefined),
    projections: harness.service,
    sources: harness.sources,
    history: createHistoryOperations(harness.history(), (directory) => harness.sources.view(directory) !== undefined),
    maintenance: new FakeOperations(),
    status: () => Promise.resolve(exampleStatus()),
    metrics: () => Promise.resolve(''),
    shutdown: () => Promise.resolve(),
    files: createFileOperations({
      ...{ projections: harness.service, blobs: harness.blobs, log: silentLog, sources: harness.sources },
    }),
    uid: 0,
    gid: 0,
  });
}

beforeEach(async () => {
  harness = await TreeHarness.create();
  host = join(harness.directory, 'host');
  mkdirSync(host);
  useHarness();
});
afterEach(() => harness.close());

const configMap = (data: Record<string, string>): string =>
  JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'cm' }, data });
const secret = (stringData: Record<string, string>): string =>
  JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'sec' }, stringData });
const projection = (name: string, spec: object): string =>
  JSON.stringify({ apiVersion: 'dunnage/v1', kind: 'Projection', metadata: { name, labels: { a: '1' } }, spec });

/** Resolves when the file has the content; the test's timeout ends it otherwise. */
async function becomes(path: string, text: string | undefined): Promise<void> {
  for (;;) {
    const now = await harness.readFile(path).catch(() => undefined);
    if (now === text) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const detail = (name: string) => operations.getProjection('Projection', 'default', name);

describe('apply', { timeout: 30_000 }, () => {
  it('merges every kind of source, with modes and owners', async () => {
    writeFileSync(join(host, 'one.conf'), 'one', { mode: 0o600 });
    mkdirSync(join(host, 'd/sub'), { recursive: true });
    writeFileSync(join(host, 'd/sub/x'), 'x', { mode: 0o640 });
    await operations.apply(configMap({ k: 'map' }));
    await operations.apply(secret({ pw: 'hunter2', user: 'u' }));
    await operations.apply(projection('base', { files: [{ path: 'b', data: 'base', mode: '0444', uid: 3 }] }));
    const [result] = await operations.apply(
      projection('web', {
        uid: 5,
        sources: [
          { literal: { data: { t: 'text' }, binaryData: { b: 'AP8=' }, prefix: 'lit' } },
          { file: { path: join(host, 'one.conf'), as: 'conf/one' } },
          { directory: { path: join(host, 'd'), prefix: 'dir', gid: 9 } },
          { configMap: { name: 'cm', mode: 0o600 } },
          { secret: { name: 'sec', items: [{ key: 'pw', path: 'password', mode: 0o400 }] } },
          { projection: { name: 'base' } },
          { metadata: { items: [{ path: 'labels', fieldRef: 'metadata.labels' }] } },
        ],
        files: [{ path: 'own', data: 'mine' }],
      }),
    );
    assert.deepEqual([result?.action, result?.generation, result?.warnings], ['created', 1, undefined]);
    const { paths, sources } = await detail('web');
    assert.deepEqual(
      paths.map(({ path, mode, uid, gid, sha256 }) => [path, mode.toString(8), uid, gid, sha256]),
      [
        ['b', '444', 3, 0, undefined],
        ['conf/one', '600', 5, 0, undefined],
        ['dir/sub/x', '640', 5, 9, undefined],
        ['k', '600', 5, 0, undefined],
        ['labels', '644', 5, 0, undefined],
        ['lit/b', '644', 5, 0, undefined],
        ['lit/t', '644', 5, 0, undefined],
        ['own', '644', 5, 0, undefined],
        ['password', '400', 5, 0, undefined],
      ],
    );
    assert.equal(await harness.readFile('web/password'), 'hunter2');
    assert.equal(await harness.readFile('web/labels'), 'a="1"');
    assert.equal(sources?.length, 7);
    assert.ok(sources?.every(({ seenAtMs, error }) => seenAtMs === harness.clock.nowMs() && error === undefined));
  });

  it('refuses a source that does not exist, by name, and leaves nothing behind', async () => {
    const spec = { sources: [{ configMap: { name: 'cm' } }, { file: { path: join(host, 'gone') } }] };
    await assert.rejects(operations.apply(projection('web', spec)), {
      code: 'NOT_FOUND',
      message: 'sources[0] (configMap cm): configMap cm does not exist',
    });
    await operations.apply(configMap({ k: '1' }));
    await assert.rejects(
      operations.apply(projection('web', spec)),
      /sources\[1\] \(file .*gone\): .*gone does not exist/,
    );
    assert.deepEqual((await operations.listProjections('Projection')).length, 0);
    assert.equal(harness.sources.view('web'), undefined);
    harness.sources.start();
    assert.equal(harness.sources.view('web'), undefined);
  });

  it('keeps what was there, and follows it, if a new spec cannot be read', async () => {
    await operations.apply(configMap({ k: '1' }));
    await operations.apply(projection('web', { sources: [{ configMap: { name: 'cm' } }] }));
    await assert.rejects(operations.apply(projection('web', { sources: [{ secret: { name: 'gone' } }] })), {
      code: 'NOT_FOUND',
    });
    assert.equal(await harness.readFile('web/k'), '1');
    await operations.apply(configMap({ k: '2' }));
    await becomes('web/k', '2');
  });

  it('applies objects before what uses them, whatever their order, and answers in the order given', async () => {
    const results = await operations.apply(
      [
        projection('top', { sources: [{ projection: { name: 'middle' } }] }),
        projection('middle', { sources: [{ configMap: { name: 'cm', prefix: 'm' } }] }),
        configMap({ k: '1' }),
      ].join('\n---\n'),
    );
    assert.deepEqual(
      results.map(({ name, action }) => [name, action]),
      [
        ['top', 'created'],
        ['middle', 'created'],
        ['cm', 'created'],
      ],
    );
    assert.equal(await harness.readFile('top/m/k'), '1');
  });

  it('refuses a circle before anything is applied, also one through what is there already', async () => {
    const uses = (name: string) => ({ sources: [{ projection: { name } }] });
    const both = `${projection('a', uses('b'))}\n---\n${projection('b', uses('a'))}`;
    await assert.rejects(operations.apply(both), { code: 'INVALID_MANIFEST', message: /a -> b -> a$/ });
    await operations.apply(projection('c', { files: [] }));
    await operations.apply(projection('d', uses('c')));
    await assert.rejects(operations.apply(projection('c', uses('d'))), /c -> d -> c$/);
    assert.deepEqual(
      (await operations.listProjections(undefined)).map(({ name }) => name),
      ['c', 'd'],
    );
  });

  it('names both sources that collide, or lets the later win with a warning', async () => {
    await operations.apply(configMap({ k: 'map' }));
    const sources = [{ configMap: { name: 'cm' } }, { literal: { data: { k: 'literal' } } }];
    await assert.rejects(operations.apply(projection('web', { sources })), {
      code: 'ALREADY_EXISTS',
      message: 'sources[0] (configMap cm) and sources[1] (literal) both give "k"',
    });
    const [result] = await operations.apply(projection('web', { sources, onCollision: 'Warn' }));
    const warning = 'sources[0] (configMap cm) and sources[1] (literal) both give "k"; sources[1] (literal) wins';
    assert.deepEqual(result?.warnings, [warning]);
    assert.deepEqual((await detail('web')).warnings, [warning]);
    assert.equal(await harness.readFile('web/k'), 'literal');
  });

  it('reads the sources again when the same manifest is applied again', async () => {
    writeFileSync(join(host, 'f'), '1');
    const manifest = projection('web', { sources: [{ file: { path: join(host, 'f') } }] });
    await operations.apply(manifest);
    assert.equal((await operations.apply(manifest))[0]?.action, 'unchanged');
    writeFileSync(join(host, 'f'), '2');
    await operations.apply(manifest);
    assert.equal(await harness.readFile('web/f'), '2');
  });
});

describe('following', { timeout: 30_000 }, () => {
  it('passes a change on through projections that use each other', async () => {
    await operations.apply(configMap({ k: '1' }));
    await operations.apply(projection('one', { sources: [{ configMap: { name: 'cm' } }] }));
    await operations.apply(projection('two', { sources: [{ projection: { name: 'one', prefix: 'p' } }] }));
    await operations.apply(configMap({ k: '2' }));
    await becomes('two/p/k', '2');
    assert.equal((await detail('two')).generation, 2);
  });

  it('makes one swap of a burst of changes', async () => {
    mkdirSync(join(host, 'd'));
    await operations.apply(projection('web', { sources: [{ directory: { path: join(host, 'd') } }] }));
    for (let i = 0; i < 50; i += 1) writeFileSync(join(host, 'd', `f${i}`), 'x');
    await becomes('web/f49', 'x');
    assert.equal((await detail('web')).generation, 2);
  });

  it('keeps the content when a source goes away or is wrong, says so, and goes on when it is back', async () => {
    mkdirSync(join(host, 'd'));
    writeFileSync(join(host, 'd/a'), '1');
    await operations.apply(configMap({ k: '1' }));
    const sources = [{ directory: { path: join(host, 'd') } }, { configMap: { name: 'cm' } }];
    await operations.apply(projection('web', { sources }));
    const refreshFails = async (pattern: RegExp): Promise<void> => {
      await until(`an error: ${pattern}`, async () => pattern.test((await detail('web')).refreshError ?? ''));
      assert.deepEqual(harness.sources.troubled(), ['web']);
      assert.equal(await harness.readFile('web/a'), '1');
      assert.equal(await harness.readFile('web/k'), '1');
    };
    symlinkSync('/etc/hostname', join(host, 'd/sneaky'));
    await refreshFails(/sources\[0\].*the link sneaky leads out/);
    rmSync(join(host, 'd/sneaky'));
    await until('the end of the error', async () => (await detail('web')).refreshError === undefined);
    await operations.deleteProjection('ConfigMap', 'default', 'cm');
    await refreshFails(/configMap cm does not exist/);
    await operations.apply(configMap({ k: '1' }));
    await until('the end of the error', async () => (await detail('web')).refreshError === undefined);
    writeFileSync(join(host, 'd/k'), 'collides');
    await refreshFails(/both give "k"/);
    rmSync(join(host, 'd'), { recursive: true });
    await refreshFails(/d does not exist/);
    mkdirSync(join(host, 'd'));
    writeFileSync(join(host, 'd/a'), '2');
    await becomes('web/a', '2');
    await until('the end of trouble', () => harness.sources.troubled().length === 0);
  });

  it('adds an optional source when it appears and takes its files away when it goes', async () => {
    await operations.apply(projection('web', { sources: [{ configMap: { name: 'cm', optional: true } }] }));
    assert.equal((await detail('web')).files, 0);
    await operations.apply(configMap({ k: '1' }));
    await becomes('web/k', '1');
    await operations.deleteProjection('ConfigMap', 'default', 'cm');
    await becomes('web/k', undefined);
  });

  it('follows again after a restart, with what changed meanwhile', async () => {
    writeFileSync(join(host, 'f'), '1');
    const sources = [{ file: { path: join(host, 'f') } }, { literal: { data: { l: 'kept' } } }];
    await operations.apply(projection('web', { sources }));
    await harness.sources.close();
    writeFileSync(join(host, 'f'), '2');
    harness.restart();
    useHarness();
    harness.sources.start();
    await becomes('web/f', '2');
    writeFileSync(join(host, 'f'), '3');
    await becomes('web/f', '3');
    assert.equal(await harness.readFile('web/l'), 'kept');
  });

  it('leaves a rollback alone until a source changes, and passes on that of a source', async () => {
    const [from, both] = [projection('top', { sources: [{ projection: { name: 'base' } }] }), ['1', '2'] as const];
    for (const data of both) await operations.apply(projection('base', { files: [{ path: 'k', data }] }));
    await operations.apply(from);
    await operations.apply(configMap({ c: '1' }));
    await operations.apply(projection('web', { sources: [{ configMap: { name: 'cm' } }] }));
    await operations.apply(configMap({ c: '2' }));
    await becomes('web/c', '2');
    const back = await operations.rollbackProjection('Projection', 'default', 'web', undefined);
    assert.match(back.warnings.join(), /until one of them changes/);
    harness.sources.changed('configmap.cm');
    await operations.rollbackProjection('Projection', 'default', 'base', undefined);
    await becomes('top/k', '1');
    assert.equal(await harness.readFile('web/c'), '1');
    await operations.apply(configMap({ c: '3' }));
    await becomes('web/c', '3');
  });

  it('does not undo at a restart what was written over the content, as a rollback does, while sources give the same', async () => {
    await operations.apply(configMap({ k: '1' }));
    await operations.apply(projection('web', { sources: [{ configMap: { name: 'cm' } }] }));
    const data = Buffer.from('rolled back');
    await harness.service.write({
      ...{ directory: 'web', kind: 'Projection', namespace: 'default', name: 'web', immutable: false, secret: false },
      payload: new Map([['k', { data, mode: 0o644 }]]),
    });
    await harness.sources.close();
    harness.restart();
    useHarness();
    harness.sources.start();
    await until('a first look', async () => (await detail('web')).sources?.[0]?.seenAtMs !== undefined);
    assert.equal(await harness.readFile('web/k'), 'rolled back');
    await operations.apply(configMap({ k: '2' }));
    await becomes('web/k', '2');
  });

  it('ends with the projection, and when a manifest without sources is applied', async () => {
    await operations.apply(configMap({ k: '1' }));
    const spec = { sources: [{ configMap: { name: 'cm' } }] };
    await operations.apply(`${projection('gone', spec)}\n---\n${projection('plain', spec)}`);
    assert.throws(() => harness.sources.refuseWrite('plain'), { code: 'READ_ONLY' });
    await operations.deleteProjection('Projection', 'default', 'gone');
    await operations.apply(projection('plain', { files: [{ path: 'k', data: 'mine' }] }));
    harness.sources.refuseWrite('plain');
    assert.deepEqual([harness.sources.view('gone'), harness.sources.view('plain')], [undefined, undefined]);
    await harness.sources.close();
    harness.restart();
    harness.sources.start();
    assert.deepEqual([harness.sources.view('gone'), harness.sources.view('plain')], [undefined, undefined]);
  });
});

describe('Secrets among the sources', { timeout: 30_000 }, () => {
  it('protect all that is made from them, for good, also further on', async () => {
    await operations.apply(`${secret({ pw: 'hunter2' })}\n---\n${configMap({ k: 'plain' })}`);
    await operations.apply(projection('one', { sources: [{ configMap: { name: 'cm' } }] }));
    assert.notEqual((await detail('one')).paths[0]?.sha256, undefined);
    await operations.apply(
      projection('one', { sources: [{ configMap: { name: 'cm' } }, { secret: { name: 'sec' } }] }),
    );
    await operations.apply(projection('two', { sources: [{ projection: { name: 'one' } }] }));
    for (const name of ['one', 'two']) {
      assert.ok((await detail(name)).paths.every(({ sha256 }) => sha256 === undefined));
      const id = harness.catalog.findProjection(name);
      const generation = id === undefined ? undefined : harness.catalog.projection(id)?.generation;
      assert.ok(generation);
      const digests = [...harness.catalog.digests(generation)];
      assert.ok(digests.every((digest) => harness.blobs.prepareExisting(digest).protection === 'secret'));
    }
    await operations.apply(projection('one', { sources: [{ configMap: { name: 'cm' } }] }));
    assert.equal((await detail('one')).paths[0]?.sha256, undefined);
  });
});
