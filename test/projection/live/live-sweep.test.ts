import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NodeId } from '../../../src/base/ids.ts';
import { LiveNodes } from '../../../src/projection/live/live-nodes.ts';
import { LiveScene } from './live-scene.ts';

const count = (scene: LiveScene): number => [...new LiveNodes(scene.store).ids()].length;

function forget(scene: LiveScene, ...nodes: readonly NodeId[]): void {
  for (const node of nodes) scene.tree.forget(node, scene.lookups.count(node));
}

describe('LiveSweep', () => {
  it('keeps the number of a path that is there, and drops that of one that is gone and forgotten', async (t) => {
    const scene = new LiveScene(t);
    const id = scene.create('web');
    await scene.write(id, { a: '1', gone: '1' });
    const [web, a, gone] = [scene.node('web'), scene.node('web/a'), scene.node('web/gone')];
    forget(scene, a);
    assert.equal(scene.node('web/a'), a);
    await scene.write(id, { a: '2' });
    scene.tell(id);
    assert.equal(count(scene), 2, 'somebody may have the removed one open');
    forget(scene, gone, web);
    assert.equal(count(scene), 1);
  });

  it('drops at a start what is gone and unknown', async (t) => {
    const scene = new LiveScene(t);
    const id = scene.create('web');
    await scene.write(id, { a: '1', 'd/b': '1', held: '1' });
    const nodes = ['web', 'web/a', 'web/d', 'web/d/b'].map((path) => scene.node(path));
    const held = scene.node('web/held');
    forget(scene, ...nodes);
    await scene.write(id, { a: '2' });
    scene.restart();
    scene.tree.resume();
    assert.deepEqual([...new LiveNodes(scene.store).ids()].length, 2);
    assert.ok(scene.attributes(held));
    assert.equal(scene.node('web/a'), nodes[1]);
  });

  it('looks through a projection whose names change all the time', async (t) => {
    const scene = new LiveScene(t);
    const id = scene.create('web');
    for (let round = 0; round < 6; round += 1) {
      await scene.write(id, Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`${round}-${index}`, ''])));
      const web = scene.node('web');
      scene.names('web');
      forget(scene, web);
      scene.announcements.remove(id);
    }
    assert.ok(count(scene) < 5000, `${count(scene)} numbers for 1000 files`);
  });
});
