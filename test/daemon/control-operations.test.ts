import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { createAllocOperations } from '../../src/daemon/allocs/alloc-operations.ts';
import { createControlOperations } from '../../src/daemon/control-operations.ts';
import { createFileOperations } from '../../src/daemon/file-operations.ts';
import { createHistoryOperations } from '../../src/daemon/history-operations.ts';
import { createPoolOperations } from '../../src/daemon/pools/pool-operations.ts';
import type { ControlOperations, WriteFile } from '../../src/server/operations.ts';
import { TreeHarness } from '../projection/helpers/tree-harness.ts';
import { exampleStatus, FakeOperations } from '../server/fake-operations.ts';

const OWNER = { uid: 11, gid: 22 };
const CONFIG_MAP = `
apiVersion: v1
kind: ConfigMap
metadata: { name: web, namespace: prod }
data: { app.yaml: "a: 1", empty: "" }
`;
const SECRET = `
apiVersion: v1
kind: Secret
metadata: { name: db }
stringData: { password: hunter2 }
`;

let harness: TreeHarness;
let operations: ControlOperations;
let shutdowns: boolean[];

beforeEach(async () => {
  harness = await TreeHarness.create();
  shutdowns = [];
  operations = createControlOperations({
    allocs: createAllocOperations(undefined, '/mnt/allocs'),
    pools: createPoolOperations(undefined),
    projections: harness.service,
    sources: harness.sources,
    status: () => Promise.resolve(exampleStatus()),
    history: createHistoryOperations(harness.history(OWNER), () => false),
    metrics: () => Promise.resolve('dunnage_swaps_total 3\n'),
    maintenance: new FakeOperations(),
    shutdown: (unmount) => Promise.resolve(void shutdowns.push(unmount)),
    files: createFileOperations({
      ...{ projections: harness.service, blobs: harness.blobs, log: silentLog, sources: harness.sources },
    }),
    ...OWNER,
  });
});
afterEach(() => harness.close());

const file = (text: string, more: Partial<WriteFile> = {}): WriteFile => ({
  data: Buffer.from(text),
  mode: 0o644,
  ...more,
});

describe('apply', () => {
  it('projects every document, in order, and says what became of each', async () => {
    assert.deepEqual(await operations.apply(`${CONFIG_MAP}\n---\n${SECRET}`), [
      {
        kind: 'ConfigMap',
        namespace: 'prod',
        name: 'web',
        directory: 'prod.configmap.web',
        action: 'created',
        generation: 1,
      },
      { kind: 'Secret', namespace: 'default', name: 'db', directory: 'secret.db', action: 'created', generation: 1 },
    ]);
    assert.equal(await harness.readFile('prod.configmap.web/app.yaml'), 'a: 1');
    assert.equal(await harness.readFile('secret.db/password'), 'hunter2');
    const again = await operations.apply(`${CONFIG_MAP}\n---\n${SECRET.replace('hunter2', 'hunter3')}`);
    assert.deepEqual(
      again.map(({ action, generation }) => [action, generation]),
      [
        ['unchanged', 1],
        ['configured', 2],
      ],
    );
  });

  it('applies nothing if one document is wrong', async () => {
    await assert.rejects(operations.apply(`${CONFIG_MAP}\n---\n${SECRET.replace('stringData', 'stringdata')}`), {
      code: 'INVALID_MANIFEST',
    });
    assert.deepEqual(await operations.listProjections(undefined), []);
    assert.deepEqual(harness.operations, []);
  });
});

describe('listProjections', () => {
  it('lists all kinds by directory, or one kind', async () => {
    await operations.apply(`${SECRET}\n---\n${CONFIG_MAP}`);
    await operations.writeProjection('site', new Map([['index.html', file('<html>')]]));
    const directories = async (kind?: 'Secret' | 'ConfigMap' | 'Projection'): Promise<string[]> =>
      (await operations.listProjections(kind)).map(({ directory }) => directory);
    assert.deepEqual(await directories(), ['prod.configmap.web', 'secret.db', 'site']);
    assert.deepEqual(await directories('Secret'), ['secret.db']);
    assert.deepEqual(await directories('Projection'), ['site']);
  });

  it('tells name, generation, size and times, and no content', async () => {
    await operations.apply(CONFIG_MAP);
    assert.deepEqual(await operations.listProjections('ConfigMap'), [
      {
        directory: 'prod.configmap.web',
        kind: 'ConfigMap',
        namespace: 'prod',
        name: 'web',
        generation: 1,
        files: 2,
        sizeBytes: 4,
        createdAtMs: harness.clock.nowMs(),
        updatedAtMs: harness.clock.nowMs(),
        awaitingSource: false,
        audited: false,
      },
    ]);
  });
});

describe('getProjection', () => {
  it('tells each file with its digest, and the daemon as owner where the file names none', async () => {
    const files = new Map([
      ['a', file('one', { uid: 0, gid: 5, mode: 0o600 })],
      ['dir/b', file('two')],
    ]);
    await operations.writeProjection('site', files);
    const { paths, generation } = await operations.getProjection('Projection', 'default', 'site');
    const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
    assert.equal(generation, 1);
    assert.deepEqual(paths, [
      { path: 'a', mode: 0o600, uid: 0, gid: 5, sizeBytes: 3, sha256: sha256('one') },
      { path: 'dir/b', mode: 0o644, ...OWNER, sizeBytes: 3, sha256: sha256('two') },
    ]);
  });

  it('tells no digest of a secret', async () => {
    await operations.apply(SECRET);
    const detail = await operations.getProjection('Secret', 'default', 'db');
    assert.deepEqual(
      detail.paths.map(({ path, sha256 }) => [path, sha256]),
      [['password', undefined]],
    );
    assert.ok(!JSON.stringify(detail).includes('hunter2'));
  });

  it('says NOT_FOUND, and what is wrong with a name that cannot be', async () => {
    await operations.apply(CONFIG_MAP);
    await assert.rejects(async () => operations.getProjection('ConfigMap', 'default', 'web'), { code: 'NOT_FOUND' });
    await assert.rejects(async () => operations.getProjection('Secret', 'prod', 'web'), { code: 'NOT_FOUND' });
    await assert.rejects(async () => operations.getProjection('Secret', 'prod', '../web'), {
      code: 'INVALID_ARGUMENT',
    });
  });
});

describe('deleteProjection', () => {
  it('takes one object away and no other', async () => {
    await operations.apply(`${CONFIG_MAP}\n---\n${SECRET}`);
    await operations.deleteProjection('Secret', 'default', 'db');
    assert.deepEqual(
      (await operations.listProjections(undefined)).map(({ name }) => name),
      ['web'],
    );
    await assert.rejects(operations.deleteProjection('Secret', 'default', 'db'), { code: 'NOT_FOUND' });
  });
});

describe('writeProjection', () => {
  it('replaces the whole content of a Projection', async () => {
    await operations.writeProjection(
      'site',
      new Map([
        ['a', file('1')],
        ['b', file('2')],
      ]),
    );
    assert.deepEqual(await operations.writeProjection('site', new Map([['b', file('3')]])), {
      kind: 'Projection',
      namespace: 'default',
      name: 'site',
      directory: 'site',
      action: 'configured',
      generation: 2,
    });
    assert.equal(await harness.readFile('site/a'), undefined);
    assert.equal(await harness.readFile('site/b'), '3');
  });

  it('refuses a name that would be the directory of a Secret', async () => {
    await assert.rejects(async () => operations.writeProjection('secret.db', new Map([['a', file('1')]])), {
      code: 'INVALID_ARGUMENT',
    });
    assert.deepEqual(await operations.listProjections(undefined), []);
  });
});

describe('status and shutdown', () => {
  it('are those of the daemon', async () => {
    assert.deepEqual(await operations.status(), exampleStatus());
    await operations.shutdown(true);
    await operations.shutdown(false);
    assert.deepEqual(shutdowns, [true, false]);
  });
});

describe('a Projection with sources', { timeout: 20_000 }, () => {
  const SOURCED = `
apiVersion: dunnage/v1
kind: Projection
metadata: { name: web }
spec: { sources: [{ literal: { data: { a: "1" } } }, { configMap: { name: late, optional: true } }] }
`;

  it('cannot be written from elsewhere, and can again when it was deleted', async () => {
    await operations.apply(SOURCED);
    const files = new Map([['a', file('2')]]);
    await assert.rejects(async () => await operations.writeProjection('web', files), {
      code: 'READ_ONLY',
      message: 'the content of web comes from its sources',
    });
    assert.equal(await harness.readFile('web/a'), '1');
    await operations.deleteProjection('Projection', 'default', 'web');
    assert.equal((await operations.writeProjection('web', files)).action, 'created');
  });

  it('is named in the status while a source cannot be read', async () => {
    await operations.apply(SOURCED);
    assert.deepEqual((await operations.status()).warnings, []);
    await operations.apply(CONFIG_MAP.replace('name: web, namespace: prod', 'name: late').replace('app.yaml', 'a'));
    let warnings: readonly string[] = [];
    while (warnings.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      ({ warnings } = await operations.status());
    }
    assert.match(warnings[0] ?? '', /sources cannot be read, the content stays as it was: web \(dunnage get/);
    assert.equal(await harness.readFile('web/a'), '1');
  });
});
