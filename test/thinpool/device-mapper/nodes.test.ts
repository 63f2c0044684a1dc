/** Without a device-mapper; with one, test/kernel/device-mapper-pool.test.ts looks at nodes of real devices. */
import assert from 'node:assert/strict';
import {
  lstatSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { loadNative } from '../../../src/native/load.ts';
import { DeviceNodes, kernelName, splitDevice } from '../../../src/thinpool/device-mapper/nodes.ts';

const skip = process.geteuid?.() === 0 ? false : 'needs root: it makes device nodes';
/** No kernel gives so high a number out in a test. */
const DEVICE = { major: 7, minor: 0xf_ff_f0 };

function makeNodes(t: TestContext): { nodes: DeviceNodes; folder: string } {
  const folder = mkdtempSync(join(tmpdir(), 'dunnage-nodes-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const nodes = new DeviceNodes(loadNative(), join(folder, 'dev'));
  nodes.prepare();
  return { nodes, folder: join(folder, 'dev') };
}

describe('nodes', { skip }, () => {
  it('are made where the kernel makes none, replace what is there, and are removed once or twice', (t) => {
    const { nodes } = makeNodes(t);
    writeFileSync(nodes.path('a'), 'in the way');
    nodes.make('a', DEVICE);
    const found = statSync(nodes.path('a'));
    assert.ok(found.isBlockDevice());
    assert.deepEqual(splitDevice(found.rdev), DEVICE);
    assert.equal(found.mode & 0o777, 0o600);
    nodes.remove('a');
    nodes.remove('a');
    assert.equal(lstatSync(nodes.path('a'), { throwIfNoEntry: false }), undefined);
  });

  it('that mean nothing any more are swept away; what is no node of the device-mapper stays', (t) => {
    const { nodes, folder } = makeNodes(t);
    nodes.make('gone', DEVICE);
    symlinkSync('/dev/dm-1048000', nodes.path('link'));
    symlinkSync('/dev/loop77777', nodes.path('other-driver'));
    writeFileSync(nodes.path('file'), '');
    writeFileSync(join(folder, '.staged-x'), '');
    nodes.sweep();
    assert.deepEqual(readdirSync(folder).sort(), ['file', 'other-driver']);
    assert.equal(readlinkSync(nodes.path('other-driver')), '/dev/loop77777');
  });
});

it("a kernel's name is that of the pool and that of the device", () => {
  assert.equal(kernelName('pool', 'a-b'), 'pool-a-b');
});
