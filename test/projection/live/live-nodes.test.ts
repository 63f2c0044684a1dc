import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { ProjectionId } from '../../../src/base/ids.ts';
import { joinPath, type LiveNode, LiveNodes } from '../../../src/projection/live/live-nodes.ts';
import { bytesValue, numberAndStringKey, numberKey } from '../../../src/store/codecs.ts';
import { makeStateDirectory, openStore } from '../../store/state-directory.ts';

const PROJECTION = 900 as ProjectionId;
const TOP: LiveNode = { id: PROJECTION, projection: PROJECTION, path: '', kind: 'directory', isDead: false };

function scene(t: TestContext): { nodes: LiveNodes; again: () => LiveNodes } {
  const store = openStore(t, makeStateDirectory(t));
  return { nodes: new LiveNodes(store), again: () => new LiveNodes(store) };
}

describe('LiveNodes', () => {
  it('gives each path a number of its own, and the same one for ever', (t) => {
    const { nodes, again } = scene(t);
    const [d, a] = nodes.assign(TOP, [
      { name: 'd', kind: 'directory' },
      { name: 'a', kind: 'file' },
    ]) as [number, number];
    const inside: LiveNode = { id: d, projection: PROJECTION, path: 'd', kind: 'directory', isDead: false };
    const [b] = nodes.assign(inside, [{ name: 'a', kind: 'file' }]) as [number];
    assert.equal(new Set([d, a, b]).size, 3);
    const next = again();
    assert.deepEqual(next.assign(inside, [{ name: 'a', kind: 'file' }]), [b]);
    assert.equal(next.assigned, 0, 'nothing was written');
    assert.deepEqual(next.node(b), { id: b, projection: PROJECTION, path: 'd/a', kind: 'file', isDead: false });
    assert.equal(next.findPath(PROJECTION, 'd/a', 'file'), b);
    assert.equal(next.findPath(PROJECTION, '', 'directory'), PROJECTION);
    assert.equal(next.findPath(PROJECTION, 'd/none', 'file'), undefined);
    assert.equal(next.findPath(PROJECTION, 'e/a', 'file'), undefined);
  });

  it('tells a file from a directory of the same name', (t) => {
    const { nodes } = scene(t);
    const [file] = nodes.assign(TOP, [{ name: 'x', kind: 'file' }]) as [number];
    const [directory] = nodes.assign(TOP, [{ name: 'x', kind: 'directory' }]) as [number];
    assert.notEqual(file, directory);
    assert.equal(nodes.find(PROJECTION, 'x', 'file'), file);
    assert.equal(nodes.node(directory)?.kind, 'directory');
  });

  it('lists what a projection has, children first, and nothing of its neighbour', (t) => {
    const { nodes } = scene(t);
    const [d] = nodes.assign(TOP, [{ name: 'd', kind: 'directory' }]) as [number];
    const [e] = nodes.assign({ ...TOP, id: d, path: 'd' }, [{ name: 'e', kind: 'file' }]) as [number];
    const other = (PROJECTION + 1) as ProjectionId;
    nodes.assign({ ...TOP, id: other, projection: other }, [{ name: 'x', kind: 'file' }]);
    assert.deepEqual(nodes.within(PROJECTION), [e, d]);
    assert.equal([...nodes.ids()].length, 3);
  });

  it('gives a new number to a path whose number was taken away', (t) => {
    const { nodes } = scene(t);
    const [first] = nodes.assign(TOP, [{ name: 'a', kind: 'file' }]) as [number];
    nodes.remove([first, 12_345]);
    assert.equal(nodes.node(first), undefined);
    assert.equal(nodes.find(PROJECTION, 'a', 'file'), undefined);
    const [second] = nodes.assign(TOP, [{ name: 'a', kind: 'file' }]) as [number];
    assert.notEqual(second, first);
    nodes.remove([first]);
    assert.equal(nodes.find(PROJECTION, 'a', 'file'), second);
  });

  it('gives another number to a directory that comes back, and still knows the dead one', (t) => {
    const { nodes, again } = scene(t);
    const [d] = nodes.assign(TOP, [{ name: 'd', kind: 'directory' }]) as [number];
    nodes.markDead(d);
    assert.equal(nodes.find(PROJECTION, 'd', 'directory'), undefined);
    const [next] = nodes.assign(TOP, [{ name: 'd', kind: 'directory' }]) as [number];
    assert.notEqual(next, d);
    assert.deepEqual([again().node(d)?.isDead, again().node(next)?.isDead], [true, false]);
    nodes.remove([d]);
    assert.equal(nodes.find(PROJECTION, 'd', 'directory'), next);
  });

  it('takes paths as long as a path can be', (t) => {
    const { nodes } = scene(t);
    let parent = TOP;
    for (let depth = 0; depth < 16; depth += 1) {
      const name = 'n'.repeat(255);
      const [id] = nodes.assign(parent, [{ name, kind: 'directory' }]) as [number];
      parent = { id, projection: PROJECTION, path: joinPath(parent.path, name), kind: 'directory', isDead: false };
    }
    assert.equal(nodes.node(parent.id)?.path.length, 16 * 256 - 1);
    assert.equal(nodes.findPath(PROJECTION, parent.path, 'directory'), parent.id);
  });

  it('gives another number where the table is damaged, instead of failing', (t) => {
    const store = openStore(t, makeStateDirectory(t));
    const first = new LiveNodes(store);
    const [a, b] = first.assign(TOP, [
      { name: 'a', kind: 'file' },
      { name: 'b', kind: 'file' },
    ]) as [number, number];
    const rows = store.table('live-nodes', numberKey, bytesValue);
    const names = store.table('live-names', numberAndStringKey, bytesValue);
    store.transactBuffered(() => {
      rows.put(a, Buffer.from('{'));
      names.put([PROJECTION, 'fb'], Buffer.from(String(a)));
    });
    const nodes = new LiveNodes(store);
    assert.equal(nodes.node(a), undefined);
    const again = nodes.assign(TOP, [
      { name: 'a', kind: 'file' },
      { name: 'b', kind: 'file' },
    ]) as [number, number];
    assert.ok(!again.includes(a) && !again.includes(b));
    nodes.remove([a]);
    assert.equal(rows.get(a), undefined);
    assert.deepEqual(nodes.within(PROJECTION).sort(), again);
  });
});
