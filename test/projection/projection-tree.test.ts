import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type NodeId, ROOT_NODE_ID } from '../../src/base/ids.ts';
import { caller, resent, TreeHarness, wanted } from './helpers/tree-harness.ts';

let harness: TreeHarness;
beforeEach(async () => {
  harness = await TreeHarness.create();
});
afterEach(() => harness.close());

async function makeWeb(files: Record<string, string> = { foo: 'FOO', 'bar/baz': 'BAZ' }): Promise<NodeId> {
  await harness.service.write(wanted('web', files));
  return harness.lookup(ROOT_NODE_ID, 'web') as NodeId;
}

function timestampNames(node: NodeId): string[] {
  return harness.list(node).filter((name) => /^\.\.\d{4}_/.test(name));
}

describe('ProjectionTree reading', () => {
  it('shows the picture the reference makes', async () => {
    const web = await makeWeb();
    const names = harness.list(web);
    assert.deepEqual(names.filter((name) => !/^\.\.\d/.test(name)).sort(), ['..data', 'bar', 'foo']);
    assert.equal(timestampNames(web).length, 1);
    const foo = harness.lookup(web, 'foo') as NodeId;
    assert.equal(harness.tree.readLink(caller, foo), '..data/foo');
    const data = harness.lookup(web, '..data') as NodeId;
    assert.equal(harness.tree.readLink(caller, data), timestampNames(web)[0]);
    assert.equal(await harness.readFile('web/foo'), 'FOO');
    assert.equal(await harness.readFile('web/bar/baz'), 'BAZ');
  });

  it('counts the directories in a directory in st_nlink', async () => {
    const web = await makeWeb({ 'a/x': '1', 'b/y': '2', c: '3' });
    const directory = harness.resolve('web/..data') as NodeId;
    assert.equal(harness.tree.getAttributes(caller, directory).attributes.nlink, 4);
    assert.equal(harness.tree.getAttributes(caller, web).attributes.nlink, 3);
  });

  it('reads any range of a file and nothing beyond its end', async () => {
    await makeWeb({ foo: '0123456789' });
    const node = harness.resolve('web/foo') as NodeId;
    const read = async (offset: number, size: number): Promise<string> =>
      Buffer.from(await harness.tree.read(caller, node, 0, offset, size)).toString();
    assert.equal(await read(3, 4), '3456');
    assert.equal(await read(8, 100), '89');
    assert.equal(await read(10, 10), '');
    assert.equal(await read(99, 10), '');
  });

  it('answers statfs with the size of the object asked about', async () => {
    const web = await makeWeb({ foo: 'x'.repeat(10_000) });
    assert.equal(harness.tree.statFileSystem(caller, web).blocks, 3);
    const foo = harness.lookup(web, 'foo') as NodeId;
    assert.equal(harness.tree.statFileSystem(caller, foo).blocks, 3);
    assert.equal(harness.tree.statFileSystem(caller, ROOT_NODE_ID).blocks, 1);
  });

  it('goes on listing where it was while the directory is swapped', async () => {
    const files = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`key-${i}`, 'old']));
    const web = await makeWeb(files);
    const first = [...harness.tree.readDirectory(caller, web, 0, 0)].slice(0, 20);
    await harness.service.write(wanted('web', { ...files, 'key-0': 'new' }));
    const rest = [...harness.tree.readDirectory(caller, web, 0, first.at(-1)?.cookie ?? 0)];
    const keys = [...first, ...rest].map((entry) => entry.name).filter((name) => name.startsWith('key-'));
    assert.deepEqual(keys.sort(), Object.keys(files).sort());
  });

  it('says ESTALE for a node that never was', () => {
    assert.throws(() => harness.tree.getAttributes(caller, 4711 as NodeId), { code: 'STALE' });
  });
});

describe('ProjectionTree refuses what the catalog does not want', () => {
  it('every change by an outsider is EROFS', async () => {
    const web = await makeWeb();
    const readOnly = { code: 'READ_ONLY' };
    const { tree } = harness;
    assert.throws(() => tree.makeDirectory(caller, ROOT_NODE_ID, 'other'), readOnly);
    assert.throws(() => tree.makeDirectory(caller, web, 'sub'), readOnly);
    assert.throws(() => tree.makeDirectory(caller, web, '..2026_01_01_00_00_00.1'), readOnly);
    assert.throws(() => tree.makeSymlink(caller, web, '..data_tmp', 'nowhere'), readOnly);
    assert.throws(() => tree.makeSymlink(caller, web, 'foo', 'elsewhere'), readOnly);
    assert.throws(() => tree.makeSymlink(caller, web, 'new', '..data/new'), readOnly);
    assert.throws(() => tree.unlink(caller, web, 'foo'), readOnly);
    assert.throws(() => tree.unlink(caller, web, '..data'), readOnly);
    assert.throws(() => tree.removeDirectory(caller, ROOT_NODE_ID, 'web'), readOnly);
    assert.throws(() => tree.removeDirectory(caller, web, timestampNames(web)[0] as string), readOnly);
    await assert.rejects(async () => tree.rename(caller, web, 'foo', web, 'bar', 0), readOnly);
    await assert.rejects(async () => tree.rename(caller, web, '..data_tmp', web, '..data', 0), readOnly);
    assert.equal(await harness.readFile('web/foo'), 'FOO');
  });

  it('nothing can be made inside a generation', async () => {
    await makeWeb();
    const directory = harness.resolve('web/..data') as NodeId;
    assert.throws(() => harness.tree.makeDirectory(caller, directory, 'x'), { code: 'READ_ONLY' });
    assert.throws(() => harness.tree.makeSymlink(caller, directory, 'x', 'y'), { code: 'READ_ONLY' });
    assert.throws(() => harness.tree.unlink(caller, directory, 'foo'), { code: 'READ_ONLY' });
  });
});

describe('ProjectionTree swapping', () => {
  it('makes its changes in the order of the reference', async () => {
    await makeWeb({ a: '1', b: '2' });
    harness.operations.length = 0;
    await harness.service.write(wanted('web', { b: '3', c: '4' }));
    const made = harness.operations.map(({ operation }) => `${operation.kind} ${operation.name.replace(/\d+/g, 'N')}`);
    assert.deepEqual(made, [
      'mkdir ..N_N_N_N_N_N.N',
      'symlink ..data_tmp',
      'rename ..data_tmp',
      'symlink c',
      'unlink a',
    ]);
    assert.ok(harness.operations.every(({ errno }) => errno === 0));
  });

  it('keeps a replaced generation whole for whoever holds it, until the kernel forgets it', async () => {
    await makeWeb({ foo: 'old', bar: 'old' });
    const before = harness.resolve('web/..data') as NodeId;
    await harness.service.write(wanted('web', { foo: 'new' }));
    await harness.graceOver();
    assert.deepEqual(harness.list(before), ['bar', 'foo']);
    const bar = harness.lookup(before, 'bar') as NodeId;
    assert.equal(Buffer.from(await harness.tree.read(caller, bar, 0, 0, 10)).toString(), 'old');
    assert.deepEqual(harness.forgotten, []);
    harness.forgetAll();
    assert.equal(harness.forgotten.length, 1);
    harness.service.forgotten(harness.forgotten[0] as never);
    await harness.service.removeForgotten();
    assert.throws(() => harness.tree.getAttributes(caller, before), { code: 'STALE' });
    assert.equal(harness.blobs.statistics().blobs, 1);
  });

  it('tells the kernel to drop the name of a replaced generation after the grace period', async () => {
    const web = await makeWeb({ foo: 'old' });
    const [before] = timestampNames(web);
    await harness.service.write(wanted('web', { foo: 'new' }));
    assert.ok(!harness.list(web).includes(before as string), 'it is listed no more');
    await harness.graceOver();
    assert.deepEqual(harness.invalidated, [before]);
  });

  it('hides the name of a replaced generation after the grace period, even from who remembers it', async () => {
    const web = await makeWeb({ foo: 'old' });
    const [before] = timestampNames(web);
    const held = harness.lookup(web, before as string) as NodeId;
    await harness.service.write(wanted('web', { foo: 'new' }));
    assert.equal(harness.lookup(web, before as string), held, 'a reader may be on its way');
    await harness.graceOver();
    assert.equal(harness.lookup(web, before as string), undefined);
    assert.deepEqual(harness.list(held), ['foo'], 'whoever has it open goes on');
  });

  it('never shows again what was given up before it was published', async () => {
    const web = await makeWeb({ foo: 'old' });
    harness.beforeOperation = ({ kind }) => {
      if (kind === 'rename') throw new Error('the agent died');
    };
    await assert.rejects(harness.service.write(wanted('web', { foo: 'never published' })), /the agent died/);
    const given = harness.operations.findLast(({ operation }) => operation.kind === 'mkdir')?.operation.name as string;
    assert.equal(harness.operations.at(-1)?.operation.kind, 'rmdir');
    assert.equal(harness.lookup(web, given), undefined);
    assert.equal(await harness.readFile('web/foo'), 'old');
  });

  it('keeps node ids of the links that stay', async () => {
    const web = await makeWeb({ foo: 'old' });
    const before = harness.lookup(web, 'foo');
    await harness.service.write(wanted('web', { foo: 'new', more: 'x' }));
    assert.equal(harness.lookup(web, 'foo'), before);
  });
});

describe('ProjectionTree after a takeover', () => {
  it('takes a request that was carried out already as done', async () => {
    const web = await makeWeb();
    harness.restart();
    harness.resume();
    await harness.tree.rename(resent, web, '..data_tmp', web, '..data', 0);
    harness.tree.unlink(resent, web, 'gone');
    assert.ok(harness.tree.makeSymlink(resent, web, 'foo', '..data/foo').attributes);
    assert.ok(harness.tree.makeDirectory(resent, ROOT_NODE_ID, 'web').attributes);
    harness.tree.removeDirectory(resent, ROOT_NODE_ID, 'never-was');
  });

  it('forgets the names of a generation that was given up, also if nobody removed them through the mount', async () => {
    const web = await makeWeb();
    harness.beforeOperation = (operation) => {
      if (operation.kind === 'rename') throw new Error('died');
    };
    await harness.service.write(wanted('web', { foo: 'lost' })).catch(() => undefined);
    harness.restart();
    harness.resume();
    // The kernel knows by now that the names are absent, and answers for itself.
    for (const { id } of [...harness.interrupted.entries()]) {
      harness.tree.abort(id);
      harness.tree.finishAbort(id);
    }
    assert.equal(harness.lookup(web, '..data_tmp'), undefined);
    assert.deepEqual(timestampNames(web).length, 1);
    harness.beforeOperation = () => undefined;
    assert.equal((await harness.service.write(wanted('web', { foo: 'next' }))).action, 'configured');
  });

  it('drains what an earlier daemon replaced', async () => {
    await makeWeb({ foo: 'old' });
    harness.forgetAll();
    await harness.service.write(wanted('web', { foo: 'new' }));
    harness.tree.close();
    harness.forgetAll();
    harness.restart();
    harness.resume();
    assert.equal(harness.forgotten.length, 1);
  });

  it('remembers from the lookup table what the kernel holds', async () => {
    await makeWeb({ foo: 'old' });
    const before = harness.resolve('web/foo') as NodeId;
    await harness.service.write(wanted('web', { foo: 'new' }));
    harness.tree.close();
    harness.restart();
    harness.resume();
    await harness.graceOver();
    assert.deepEqual(harness.forgotten, []);
    assert.equal(Buffer.from(await harness.tree.read(caller, before, 0, 0, 10)).toString(), 'old');
  });
});
