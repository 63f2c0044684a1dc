import assert from 'node:assert/strict';
import { constants } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import type { NodeId, ProjectionId } from '../../../src/base/ids.ts';
import { caller, LiveScene, resent } from './live-scene.ts';

const REFUSED = { code: 'READ_ONLY' };

/** A swap that changes everything there is, watched and not announced. */
async function pending(t: TestContext): Promise<{ scene: LiveScene; id: ProjectionId; web: NodeId }> {
  const scene = new LiveScene(t);
  const id = scene.create('web');
  await scene.write(id, { a: '1', gone: '1', 'old/x': '1' });
  for (const name of ['a', 'gone', 'old']) scene.node(`web/${name}`);
  await scene.write(id, { a: '2', new: '2', 'dir/y': '2' });
  return { scene, id, web: scene.node('web') };
}

describe('LiveSteps', () => {
  it('lets a step through once, and no other', async (t) => {
    const { scene, web } = await pending(t);
    const { tree } = scene;
    assert.throws(() => tree.makeFile(caller, web, 'dir'), REFUSED, 'a directory is waited for');
    assert.throws(() => tree.makeDirectory(caller, web, 'new'), REFUSED, 'a file is waited for');
    assert.throws(() => tree.removeDirectory(caller, web, 'gone'), REFUSED);
    assert.throws(() => tree.unlink(caller, web, 'old'), REFUSED);
    assert.throws(() => tree.unlink(caller, web, 'a'), REFUSED);
    assert.equal(tree.makeFile(caller, web, 'new').attributes?.sizeBytes, 1);
    assert.throws(() => tree.makeFile(caller, web, 'new'), REFUSED);
    tree.unlink(caller, web, 'gone');
    assert.throws(() => tree.unlink(caller, web, 'gone'), REFUSED);
  });

  it('takes one write for each change, whatever is written', async (t) => {
    const { scene, id } = await pending(t);
    const { tree } = scene;
    const node = scene.node('web/a');
    const { handle } = tree.open(caller, node, constants.O_WRONLY);
    assert.throws(() => tree.open(caller, node, constants.O_RDWR), REFUSED);
    assert.equal(tree.write(caller, node, handle, 0, Buffer.from('anything')), 8);
    assert.throws(() => tree.write(caller, node, handle, 0, Buffer.from('more')), REFUSED);
    assert.throws(() => tree.open(caller, node, constants.O_WRONLY), REFUSED);
    assert.equal(await scene.readPath('web/a'), '2');
    assert.ok(scene.steps(id).includes('live/web: unlink gone'), 'the rest waits');
  });

  it('answers what the kernel sends again as it was answered before', async (t) => {
    const { scene, web } = await pending(t);
    const { tree } = scene;
    tree.makeDirectory(caller, web, 'dir');
    assert.equal(tree.makeDirectory(resent, web, 'dir').attributes?.nodeId, scene.node('web/dir'));
    tree.unlink(caller, web, 'gone');
    tree.unlink(resent, web, 'gone');
    const node = scene.node('web/a');
    tree.write(caller, node, 0, 0, new Uint8Array(1));
    assert.equal(tree.write(resent, node, 0, 0, new Uint8Array(1)), 1);
    assert.throws(() => tree.unlink(resent, web, 'a'), REFUSED, 'what is there was not removed');
    assert.throws(() => tree.makeFile(resent, web, 'never'), REFUSED);
  });

  it('takes a change of mode only to the mode that is published', async (t) => {
    const scene = new LiveScene(t);
    const id = scene.create('web');
    await scene.write(id, { a: '1' });
    const node = scene.node('web/a');
    scene.modes.set('a', 0o600);
    await scene.write(id, { a: '1' });
    assert.deepEqual(scene.steps(id), ['live/web: chmod a']);
    const { tree } = scene;
    assert.throws(() => tree.setAttributes(caller, node, { mode: 0o644 }), REFUSED);
    assert.throws(() => tree.setAttributes(caller, node, { mode: 0o600, uid: 5 }), REFUSED);
    assert.equal(tree.setAttributes(caller, node, { mode: 0o600 }).attributes.mode & 0o777, 0o600);
    assert.throws(() => tree.setAttributes(caller, node, { mode: 0o600 }), REFUSED);
    assert.equal(tree.setAttributes(resent, node, { mode: 0o600 }).attributes.mode & 0o777, 0o600);
    assert.deepEqual(scene.steps(id), []);
  });
});
