import assert from 'node:assert/strict';
import { constants } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { type GenerationId, type NodeId, type ProjectionId, ROOT_NODE_ID } from '../../src/base/ids.ts';
import { AuditedTree, auditedLiveFile } from '../../src/projection/audited-tree.ts';
import { ProjectionTree } from '../../src/projection/projection-tree.ts';
import type { Caller } from '../../src/vfs/file-system.ts';
import { CatalogScene, CREATED_AT_MS } from './helpers/catalog-scene.ts';
import { caller } from './helpers/tree-harness.ts';

interface Opened {
  readonly caller: Caller;
  readonly file: unknown;
}

interface Trees {
  readonly scene: CatalogScene;
  readonly plain: ProjectionTree;
  readonly audited: AuditedTree;
  readonly opened: Opened[];
  readonly forgotten: { readonly by: string; readonly id: GenerationId }[];
}

/** Both file systems over one catalog and one lookup table, as in the daemon. */
function makeTrees(t: TestContext): Trees {
  const scene = new CatalogScene(t);
  const opened: Opened[] = [];
  const forgotten: { by: string; id: GenerationId }[] = [];
  const shared = {
    catalog: scene.catalog,
    blobs: scene.blobs,
    publisher: scene.publisher(),
    lookups: scene.references,
    pending: scene.pending,
    clock: { nowMs: () => CREATED_AT_MS, monotonicMs: () => 0 },
    owner: { uid: 0, gid: 0 },
    graceMs: 0,
    storeSizeBytes: () => 4096,
  };
  const kernelCache = {
    invalidateEntry: () => undefined,
    invalidateNode: () => undefined,
  };
  const onForgotten = (by: string) => (id: GenerationId) => forgotten.push({ by, id });
  const plain = new ProjectionTree({ ...shared, kernelCache, onForgotten: onForgotten('plain') });
  const audited = new AuditedTree({
    ...shared,
    kernelCache,
    onForgotten: onForgotten('audited'),
    onOpened: (by, file) => opened.push({ caller: by, file }),
  });
  t.after(() => {
    plain.close();
    audited.close();
  });
  return { scene, plain, audited, opened, forgotten };
}

async function project({ scene }: Trees): Promise<{ readonly secret: ProjectionId; readonly web: ProjectionId }> {
  const secret = scene.create('secret.db', { audited: true });
  await scene.write(secret, { 'tls/key': 'KEY' });
  const web = scene.create('web');
  await scene.write(web, { page: 'PAGE' });
  return { secret, web };
}

const names = (tree: ProjectionTree, node: NodeId): string[] =>
  [...tree.readDirectory(caller, node, 0, 0)].map(({ name }) => name);

function walk(tree: ProjectionTree, ...path: readonly string[]): NodeId {
  let node = ROOT_NODE_ID as NodeId;
  for (const name of path) {
    const found = tree.lookup(caller, node, name).attributes;
    assert.ok(found !== undefined, name);
    node = found.nodeId;
  }
  return node;
}

test('AuditedTree shows what is audited and nothing else, to its owner only', async (t) => {
  const trees = makeTrees(t);
  await project(trees);
  const { audited } = trees;
  assert.deepEqual(names(audited, ROOT_NODE_ID), ['secret.db']);
  assert.equal(audited.lookup(caller, ROOT_NODE_ID, 'web').attributes, undefined);
  assert.equal(audited.getAttributes(caller, ROOT_NODE_ID).attributes.mode, constants.S_IFDIR | 0o700);
  assert.equal(audited.statFileSystem(caller, ROOT_NODE_ID).blocks, 0);
  const directory = walk(audited, 'secret.db');
  assert.equal(audited.getAttributes(caller, directory).attributes.mode, constants.S_IFDIR | 0o755);
  assert.ok(names(audited, directory).includes('tls'));
  assert.equal(audited.statFileSystem(caller, directory).files, 1);
});

test('ProjectionTree has an empty directory in its place, in which nothing can be made', async (t) => {
  const trees = makeTrees(t);
  await project(trees);
  const { plain } = trees;
  assert.deepEqual(names(plain, ROOT_NODE_ID), ['secret.db', 'web']);
  const placeholder = walk(plain, 'secret.db');
  assert.deepEqual(names(plain, placeholder), []);
  assert.equal(plain.lookup(caller, placeholder, '..data').attributes, undefined);
  assert.equal(plain.getAttributes(caller, placeholder).attributes.nlink, 2);
  assert.throws(() => plain.makeSymlink(caller, placeholder, 'tls', '..data/tls'), { code: 'READ_ONLY' });
  assert.throws(() => plain.makeDirectory(caller, placeholder, '..2026'), { code: 'READ_ONLY' });
});

test('AuditedTree.open tells who opens which file of which generation, and keeps its content cached', async (t) => {
  const trees = makeTrees(t);
  await project(trees);
  const { audited, opened, scene } = trees;
  const directory = audited.readLink(caller, walk(audited, 'secret.db', '..data'));
  const key = walk(audited, 'secret.db', directory, 'tls', 'key');
  const reply = audited.open(caller, key, constants.O_RDONLY);
  assert.equal(reply.flags & 2, 2, 'FOPEN_KEEP_CACHE');
  assert.deepEqual(opened, [
    { caller, file: { view: 'projections', projection: 'secret.db', path: 'tls/key', generation: 1 } },
  ]);
  assert.equal(Buffer.from(await audited.read(caller, key, reply.handle, 0, 10)).toString(), 'KEY');
  assert.equal(opened.length, 1, 'reading is not opening');
  await scene.write(scene.catalog.findProjection('secret.db') as ProjectionId, { 'tls/key': 'NEW' });
  audited.open(caller, key, constants.O_RDONLY);
  assert.deepEqual(opened[1]?.file, { view: 'projections', projection: 'secret.db', path: 'tls/key', generation: 1 });
});

test('AuditedTree.open refuses writers and directories, and writes nothing down for them', async (t) => {
  const trees = makeTrees(t);
  await project(trees);
  const { audited, opened } = trees;
  const directory = audited.readLink(caller, walk(audited, 'secret.db', '..data'));
  const key = walk(audited, 'secret.db', directory, 'tls', 'key');
  for (const flags of [constants.O_WRONLY, constants.O_RDWR]) {
    assert.throws(() => audited.open(caller, key, flags), { code: 'READ_ONLY' });
  }
  assert.throws(() => audited.open(caller, walk(audited, 'secret.db', directory, 'tls'), 0), {
    code: 'IS_A_DIRECTORY',
  });
  assert.deepEqual(opened, []);
});

test('a generation is drained by the connection that serves it, and by no other', async (t) => {
  const trees = makeTrees(t);
  const { secret } = await project(trees);
  const { scene, plain, audited, forgotten } = trees;
  const old = scene.catalog.projection(secret)?.generation as GenerationId;
  await scene.write(secret, { 'tls/key': 'NEW' });
  for (const tree of [plain, audited]) tree.dropped([old]);
  assert.deepEqual(forgotten, [{ by: 'audited', id: old }]);
});

test('a daemon that takes over looks at each generation on its own connection', async (t) => {
  const trees = makeTrees(t);
  const { secret, web } = await project(trees);
  const { scene, plain, audited, forgotten } = trees;
  const replaced = [secret, web].map((id) => scene.catalog.projection(id)?.generation as GenerationId);
  await scene.write(secret, { 'tls/key': 'NEW' });
  await scene.write(web, { page: 'NEW' });
  plain.resume([]);
  audited.resume([]);
  assert.deepEqual(forgotten, [
    { by: 'plain', id: replaced[1] },
    { by: 'audited', id: replaced[0] },
  ]);
});

test('an open through the live view counts if its projection is audited', async (t) => {
  const trees = makeTrees(t);
  const { secret, web } = await project(trees);
  const { catalog } = trees.scene;
  const open = (projection: ProjectionId) => {
    const generation = catalog.projection(projection)?.generation as GenerationId;
    return auditedLiveFile(catalog, { projection, generation, path: 'tls/key' });
  };
  assert.deepEqual(open(secret), { view: 'live', projection: 'secret.db', path: 'tls/key', generation: 1 });
  assert.equal(open(web), undefined);
});
