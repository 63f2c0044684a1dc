import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { ROOT_NODE_ID } from '../../../src/base/ids.ts';
import { PathTable } from '../../../src/fuse/fuse-native/path-table.ts';
import type { Entry } from '../../../src/vfs/file-system.ts';
import { CALLER, FakeClock, FakeTree } from './fake-tree.ts';

const LEASE_MS = 100;

let tree: FakeTree;
let clock: FakeClock;
let lapsed: string[];
let paths: PathTable;

function tableOver(fileSystem: Pick<FakeTree, 'forget'> & { lookup: (...parameters: never[]) => unknown }): PathTable {
  return new PathTable({
    fileSystem: fileSystem as never,
    clock,
    caller: CALLER,
    leaseMs: LEASE_MS,
    onLapsed: (parent, name) => lapsed.push(`${parent}/${name}`),
  });
}

beforeEach(() => {
  tree = new FakeTree();
  clock = new FakeClock();
  lapsed = [];
  paths = tableOver(tree);
});

describe('looking up', () => {
  it('walks to a node once, and knows the path from then on', async () => {
    const a = tree.make(1, 'a');
    const b = tree.make(a, 'b');
    assert.equal((await paths.resolve('/a/b')).nodeId, b);
    assert.equal((await paths.resolve('/a/b')).nodeId, b);
    assert.equal(tree.lookups, 2);
    assert.deepEqual(
      [...tree.references],
      [
        [a, 1],
        [b, 1],
      ],
    );
    assert.equal((await paths.resolve('/')).nodeId, ROOT_NODE_ID);
  });

  it('says what does not exist, and asks again the next time', async () => {
    await assert.rejects(paths.resolve('/a'), { code: 'NOT_FOUND' });
    const a = tree.make(1, 'a');
    assert.equal((await paths.resolve('/a')).nodeId, a);
    await assert.rejects(paths.resolve(`/${'x'.repeat(256)}`), { code: 'NAME_TOO_LONG' });
  });

  it('gives a reference back that it got twice at the same time', async () => {
    const a = tree.make(1, 'a');
    await Promise.all([paths.resolve('/a'), paths.resolve('/a')]);
    paths.remove('/a');
    assert.equal(tree.references.get(a), undefined);
  });

  it('looks again if a name changed while the file system looked', async () => {
    let answer: (entry: Entry) => void = () => undefined;
    const slow = tableOver({
      lookup: () => new Promise<Entry>((resolve) => (answer = resolve)),
      forget: (nodeId: never, count: never) => tree.forget(nodeId, count),
    } as never);
    const [old, fresh] = [tree.make(1, 'old'), tree.make(1, 'fresh')];
    const resolving = slow.resolve('/a');
    // The walk begins with a look at the parent, which is a turn of its own.
    await new Promise(setImmediate);
    slow.remove('/a');
    answer(tree.entry(old));
    await new Promise(setImmediate);
    answer(tree.entry(fresh));
    assert.equal((await resolving).nodeId, fresh);
    assert.equal(tree.references.get(old), undefined);
  });
});

describe('leases', () => {
  it('ends what was not used for its time, children first, and gives every reference back', async () => {
    const a = tree.make(1, 'a');
    tree.make(a, 'b');
    await paths.resolve('/a/b');
    clock.ms += LEASE_MS - 1;
    paths.sweep();
    assert.equal(tree.references.size, 2);
    clock.ms += 1;
    paths.sweep();
    assert.equal(tree.references.size, 0);
    assert.equal(paths.size, 1);
  });

  it('using a path uses its directories', async () => {
    const a = tree.make(1, 'a');
    tree.make(a, 'b');
    await paths.resolve('/a/b');
    clock.ms += LEASE_MS - 1;
    await paths.resolve('/a/b');
    clock.ms += LEASE_MS - 1;
    paths.sweep();
    assert.equal(tree.references.size, 2);
  });

  it('a handle holds the node and the way to it, for ever', async () => {
    const a = tree.make(1, 'a');
    const b = tree.make(a, 'b');
    const entry = await paths.resolve('/a/b');
    paths.hold(entry);
    tree.names.clear();
    clock.ms += 100 * LEASE_MS;
    paths.sweep();
    assert.equal((await paths.resolve('/a/b')).nodeId, b);
    paths.letGo(entry);
    clock.ms += LEASE_MS;
    paths.sweep();
    assert.equal(tree.references.size, 0);
    await assert.rejects(paths.resolve('/a/b'), { code: 'NOT_FOUND' });
  });

  it('below an open directory new names are found, although its own name is gone', async () => {
    const a = tree.make(1, 'a');
    const later = tree.make(a, 'later');
    paths.hold(await paths.resolve('/a'));
    tree.names.delete('1/a');
    assert.equal((await paths.resolve('/a/later')).nodeId, later);
  });

  it('a name the file system dropped is told when its lease is over, and not before', async () => {
    const a = tree.make(1, 'a');
    tree.make(a, 'b');
    await paths.resolve('/a/b');
    clock.ms += 1;
    paths.invalidate(ROOT_NODE_ID, 'a');
    paths.sweep();
    clock.ms += LEASE_MS - 1;
    await paths.resolve('/a/b');
    clock.ms += LEASE_MS - 1;
    paths.sweep();
    assert.deepEqual(lapsed, []);
    clock.ms += LEASE_MS;
    paths.sweep();
    assert.deepEqual(lapsed, ['1/a']);
    paths.sweep();
    assert.deepEqual(lapsed, ['1/a'], 'once');
  });

  it('a dropped name that was never looked up is told after the time of a lease', () => {
    paths.invalidate(ROOT_NODE_ID, 'a');
    paths.sweep();
    assert.deepEqual(lapsed, []);
    clock.ms += LEASE_MS;
    paths.sweep();
    assert.deepEqual(lapsed, ['1/a']);
  });
});

describe('changes through the mount', () => {
  it('a removed name is gone at once; who has it open keeps it', async () => {
    const a = tree.make(1, 'a');
    const entry = await paths.resolve('/a');
    paths.hold(entry);
    tree.names.clear();
    paths.remove('/a');
    await assert.rejects(paths.resolve('/a'), { code: 'NOT_FOUND' });
    assert.equal(tree.references.get(a), 1);
    paths.letGo(entry);
    assert.equal(tree.references.size, 0);
  });

  it('a name made anew after its removal is another node; what is open beneath the old one stays', async () => {
    const old = tree.make(1, 'a');
    const inner = tree.make(old, 'inner');
    paths.hold(await paths.resolve('/a/inner'));
    tree.names.clear();
    paths.remove('/a');
    const fresh = tree.make(1, 'a');
    await paths.adopt('/a', tree.entry(fresh));
    assert.equal((await paths.resolve('/a')).nodeId, fresh);
    assert.equal((await paths.resolve('/a/inner')).nodeId, inner);
    assert.equal(tree.references.get(old), 1, 'kept for what is beneath');
  });

  it('a link renamed over another takes its name, and the replaced one is given back', async () => {
    const [data, staged] = [tree.make(1, '..data'), tree.make(1, '..data_tmp')];
    await paths.resolve('/..data');
    await paths.resolve('/..data_tmp');
    paths.rename('/..data_tmp', '/..data');
    assert.equal((await paths.resolve('/..data')).nodeId, staged);
    assert.equal(tree.references.get(data), undefined);
    tree.names.clear();
    await assert.rejects(paths.resolve('/..data_tmp'), { code: 'NOT_FOUND' });
  });

  it('a renamed directory is looked up anew with all that is beneath', async () => {
    const a = tree.make(1, 'a');
    tree.make(a, 'b');
    await paths.resolve('/a/b');
    paths.rename('/a', '/c');
    assert.equal(paths.size, 1);
    assert.equal(tree.references.size, 0);
  });

  it('what was made is known without a lookup, with its one reference', async () => {
    const a = tree.make(1, 'a');
    await paths.adopt('/a', tree.entry(a));
    assert.equal((await paths.resolve('/a')).nodeId, a);
    assert.equal(tree.lookups, 0);
    paths.remove('/a');
    assert.equal(tree.references.size, 0);
  });

  it('the root is never removed', async () => {
    paths.remove('/');
    assert.equal((await paths.resolve('/')).nodeId, ROOT_NODE_ID);
  });
});
