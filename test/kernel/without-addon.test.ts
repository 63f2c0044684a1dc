/** The command line of a package whose native parts were never built: what works, and what is said about the rest. */
import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DaemonProcess } from '../tools/daemon-process.ts';
import { unbuiltPackage } from '../tools/unbuilt-package.ts';
import { mountsBeneath } from './helpers/fuse-connections.ts';
import { fuseNativeSkip } from './helpers/fuse-native-transport.ts';
import { killDaemon, projectionRoot, TEST_PARENT, text } from './helpers/projected.ts';
import { begin } from './helpers/run.ts';

const skip = fuseNativeSkip();

describe('dunnage without its native parts', { timeout: 120_000, ...(skip === undefined ? {} : { skip }) }, () => {
  let folder: string;
  let main: string;
  let daemon: DaemonProcess;
  before(async () => {
    folder = unbuiltPackage();
    main = join(folder, 'src/cli/main.js');
    daemon = await DaemonProcess.start(TEST_PARENT, { main });
  });
  after(async () => {
    await daemon.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const key = (): string => join(projectionRoot(daemon, 'web'), 'key');

  it('up takes fuse-native by itself, and the status says what is missing', async () => {
    const { transport, warnings } = await daemon.client.status();
    assert.equal(transport, 'fuse-native');
    assert.match(warnings[0] ?? '', /^the kernel transport cannot run here: .*is not built.*npm run build/);
  });

  it('writes, swaps and reads', async () => {
    for (const content of ['one', 'two', 'three']) {
      await daemon.client.writeProjection('web', text({ key: content }));
      assert.equal(await readFile(key(), 'utf8'), content);
    }
  });

  it('refuses the kernel transport with the reason', async () => {
    const places = ['--state-dir', join(daemon.folder, 'other'), '--runtime-dir', join(daemon.folder, 'other-run')];
    const { code, stderr } = await begin(process.execPath, [main, 'up', '--transport', 'kernel', ...places]).ended;
    assert.equal(code, 10);
    assert.match(stderr, /the kernel transport cannot run here: .*is not built[\s\S]*g\+\+, make and python3/);
  });

  it('survives kill -9: the next up clears away and serves', async () => {
    await killDaemon(daemon);
    await daemon.up();
    assert.equal(await readFile(key(), 'utf8'), 'three');
  });

  it('down unmounts', async () => {
    await daemon.dunnage('down');
    assert.deepEqual(await mountsBeneath(daemon.folder), []);
    await daemon.up();
  });
});
