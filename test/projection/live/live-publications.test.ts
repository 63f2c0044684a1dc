import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LIVE_NODE_ID } from '../../../src/projection/live/live-ids.ts';
import { bytesValue, numberKey } from '../../../src/store/codecs.ts';
import { caller, LiveScene } from './live-scene.ts';

describe('LivePublications: what is announced', () => {
  it('[S53] is nothing at all if nobody looked', async (t) => {
    const scene = new LiveScene(t);
    const id = scene.create('web');
    await scene.write(id, { a: '1', gone: '1' });
    await scene.write(id, { a: '2', new: '2' });
    assert.deepEqual(scene.announcements.all(), []);
    assert.deepEqual(scene.names('web'), ['a', 'new']);
  });

  it('is only what the kernel knows: a file, not its neighbour', async (t) => {
    const scene = new LiveScene(t);
    const id = scene.create('web');
    await scene.write(id, { a: '1', b: '1', 'd/c': '1' });
    const [web, a] = [scene.node('web'), scene.node('web/a')];
    scene.tree.forget(web, scene.lookups.count(web));
    await scene.write(id, { a: '2', b: '2', 'd/c': '2', new: '2' });
    assert.deepEqual(scene.steps(id), ['live/web: modify a']);
    assert.deepEqual(scene.names('web'), ['a', 'b', 'd', 'new'], 'who did not look sees new names at once');
    scene.tell(id);
    assert.deepEqual(scene.steps(id), []);
    scene.tree.forget(a, scene.lookups.count(a));
  });

  it('are new and removed names of a directory that is known, and changes of content and mode of files that are', async (t) => {
    const scene = new LiveScene(t);
    const id = scene.create('web');
    await scene.write(id, { a: '1', same: '1', gone: '1', 'd/gone': '1' });
    for (const name of ['a', 'same', 'gone', 'd']) scene.node(`web/${name}`);
    await scene.write(id, { a: '2', same: '1', new: '2', 'e/f': '2', 'd/new': '2' });
    assert.deepEqual(scene.steps(id).sort(), [
      'live/web/d: mknod new',
      'live/web/d: modify new',
      'live/web/d: unlink gone',
      'live/web: mkdir e',
      'live/web: mknod new',
      'live/web: modify a',
      'live/web: modify new',
      'live/web: unlink gone',
    ]);
    assert.deepEqual(scene.names('web'), ['a', 'd', 'gone', 'same'], 'until it is announced');
    scene.tell(id);
    assert.deepEqual(scene.names('web'), ['a', 'd', 'e', 'new', 'same']);
    assert.deepEqual(scene.names('web/e'), ['f']);
    assert.deepEqual(scene.announcements.all(), []);
  });

  it('take away a tree from its leaves on, and a name before the directory that takes its place', async (t) => {
    const scene = new LiveScene(t);
    const id = scene.create('web');
    await scene.write(id, { 'd/e/f': '1', x: '1' });
    scene.node('web/d/e/f');
    scene.node('web/x');
    await scene.write(id, { 'x/y': '2' });
    const steps = scene.steps(id);
    assert.deepEqual(steps.slice(0, 3), ['live/web/d/e: unlink f', 'live/web/d: rmdir e', ...steps.slice(2, 3)]);
    assert.deepEqual(steps.slice(2).sort(), ['live/web: mkdir x', 'live/web: rmdir d', 'live/web: unlink x']);
    assert.ok(steps.indexOf('live/web: unlink x') < steps.indexOf('live/web: mkdir x'));
    scene.tell(id);
    assert.deepEqual(scene.names('web'), ['x']);
  });

  it('are changes of every file in a directory that is known: somebody may watch the directory', async (t) => {
    const scene = new LiveScene(t);
    const id = scene.create('web');
    await scene.write(id, { 'd/a': '1', 'd/b': '1', 'd/same': '1', top: '1' });
    const [web, d] = [scene.node('web'), scene.node('web/d')];
    scene.tree.forget(web, scene.lookups.count(web));
    scene.modes.set('d/b', 0o600);
    await scene.write(id, { 'd/a': '2', 'd/b': '1', 'd/same': '1', top: '2' });
    assert.deepEqual(scene.steps(id), ['live/web/d: modify a', 'live/web/d: chmod b']);
    assert.ok(scene.lookups.count(d) > 0);
  });

  it('are asked for no more once the kernel has forgotten who only looked', async (t) => {
    const scene = new LiveScene(t);
    const id = scene.create('web');
    await scene.write(id, { 'd/a': '1' });
    const nodes = [scene.node('web'), scene.node('web/d'), scene.node('web/d/a')];
    await scene.write(id, { 'd/a': '2' });
    assert.deepEqual(scene.pruned, []);
    scene.tell(id);
    assert.deepEqual(scene.pruned, [...nodes.reverse(), LIVE_NODE_ID], 'what is inside first');
  });

  it('are the projections themselves to who looked at live/', async (t) => {
    const scene = new LiveScene(t);
    scene.tree.rootEntry();
    const id = scene.create('web');
    await scene.write(id, { a: '1' });
    assert.deepEqual(scene.steps(id), ['live: mkdir web']);
    assert.deepEqual(scene.names(''), []);
    scene.tell(id);
    assert.deepEqual(scene.names(''), ['web']);
    await scene.catalog.beginDelete(id);
    scene.tree.publications.removed(id);
    assert.ok(scene.steps(id).includes('live: rmdir web'));
    scene.tell(id);
    assert.deepEqual(scene.names(''), []);
    assert.deepEqual(scene.announcements.all(), []);
  });

  it('end with the deletion of what nobody looked at', async (t) => {
    const scene = new LiveScene(t);
    const id = scene.create('web');
    await scene.write(id, { a: '1' });
    await scene.catalog.beginDelete(id);
    assert.deepEqual(scene.names(''), ['web'], 'as long as projections/ shows it');
    const web = scene.node('web');
    scene.tree.forget(web, scene.lookups.count(web));
    scene.tree.publications.removed(id);
    assert.deepEqual(scene.names(''), []);
    assert.deepEqual(scene.announcements.all(), []);
  });
});

describe('LivePublications: what goes wrong', () => {
  it('a swap that fails announces nothing, and leaves what an earlier one left', async (t) => {
    const scene = new LiveScene(t);
    const id = scene.create('web');
    await scene.write(id, { a: '1' });
    scene.node('web/a');
    await scene.write(id, { a: '2' });
    const left = scene.steps(id);
    assert.deepEqual(left, ['live/web: modify a']);
    const next = await scene.stage(id, { a: '3', b: '3' });
    scene.tree.publications.begin(id, next);
    scene.tree.publications.abandoned(id);
    assert.deepEqual(scene.steps(id), left);
    assert.equal(await scene.readPath('web/a'), '2');
  });

  it('what was not told goes into the next announcement', async (t) => {
    const scene = new LiveScene(t);
    const id = scene.create('web');
    await scene.write(id, { a: '1', b: '1', gone: '1' });
    for (const name of ['a', 'b', 'gone']) scene.node(`web/${name}`);
    await scene.write(id, { a: '2', b: '1', new: '2' });
    await scene.write(id, { a: '2', b: '3', new: '2' });
    assert.deepEqual(scene.steps(id).sort(), [
      'live/web: mknod new',
      'live/web: modify a',
      'live/web: modify b',
      'live/web: modify new',
      'live/web: unlink gone',
    ]);
    scene.tell(id);
    assert.deepEqual(scene.names('web'), ['a', 'b', 'new']);
  });

  it('[S55] what was not told when the daemon died is told by the next', async (t) => {
    const scene = new LiveScene(t);
    const id = scene.create('web');
    await scene.write(id, { a: '1', gone: '1' });
    for (const name of ['a', 'gone']) scene.node(`web/${name}`);
    await scene.write(id, { a: '2', new: '2' });
    const steps = scene.steps(id);
    scene.restart();
    scene.tree.resume();
    assert.deepEqual(scene.steps(id), steps);
    assert.deepEqual(scene.names('web'), ['a', 'gone']);
    scene.tell(id);
    assert.deepEqual(scene.names('web'), ['a', 'new']);
    assert.deepEqual(scene.steps(id), []);
  });

  it('a plan of a swap that was never committed comes to nothing after a takeover', async (t) => {
    const scene = new LiveScene(t);
    const id = scene.create('web');
    await scene.write(id, { a: '1', stays: '1' });
    for (const name of ['a', 'stays']) scene.node(`web/${name}`);
    const next = await scene.stage(id, { a: '1', new: '2' });
    scene.tree.publications.begin(id, next);
    assert.notDeepEqual(scene.steps(id), []);
    scene.restart();
    scene.tree.resume();
    assert.deepEqual(scene.announcements.all(), []);
    assert.deepEqual(scene.names('web'), ['a', 'stays']);
  });

  it('gives up the plan it is told to, and no later one', async (t) => {
    const scene = new LiveScene(t);
    const id = scene.create('web');
    await scene.write(id, { a: '1' });
    scene.node('web/a');
    const second = await scene.write(id, { a: '2', b: '2' });
    const third = await scene.write(id, { a: '3', b: '3' });
    scene.tree.giveUp(id, second);
    assert.notDeepEqual(scene.steps(id), []);
    scene.tree.giveUp(id, third);
    assert.deepEqual(scene.announcements.all(), []);
    assert.deepEqual(scene.names('web'), ['a', 'b']);
  });

  it('starts with a damaged plan in the store', async (t) => {
    const scene = new LiveScene(t);
    const id = scene.create('web');
    await scene.write(id, { a: '1' });
    const pending = scene.store.table('live-announcements', numberKey, bytesValue);
    scene.store.transactBuffered(() => pending.put(id, Buffer.from('{"directory":"web","plan":{}}')));
    scene.restart();
    scene.tree.resume();
    assert.deepEqual(scene.announcements.all(), []);
    assert.equal(await scene.readPath('web/a'), '1');
    scene.tree.reset();
    assert.equal(pending.get(id), undefined);
  });

  it('forgets plans where the mount is new', async (t) => {
    const scene = new LiveScene(t);
    const id = scene.create('web');
    await scene.write(id, { a: '1' });
    scene.tree.lookup(caller, scene.node('web'), 'a');
    await scene.write(id, { a: '2' });
    scene.tree.reset();
    assert.deepEqual(scene.announcements.all(), []);
  });
});
