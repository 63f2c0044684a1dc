/** Readers during thousands of swaps: one generation per directory, every file whole, no file ever missing. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { DaemonProcess } from '../tools/daemon-process.ts';
import { projectionRoot, startDaemon } from './helpers/projected.ts';
import { generationFiles, Reader } from './helpers/reader.ts';

const SWAPS = 2_000;
const NAMES = ['large', 'a', 'b', 'c'];

let daemon: DaemonProcess;
before(async () => {
  daemon = await startDaemon();
});
after(() => daemon.stop());

describe('readers during swaps', () => {
  it(`[S1][S2] never see a mixture, a torn file or a missing one (${SWAPS} swaps)`, async () => {
    await daemon.client.writeProjection('torn', generationFiles(NAMES, 0));
    const root = projectionRoot(daemon, 'torn');
    const readers = await Promise.all([Reader.start(root, NAMES), Reader.start(root, NAMES)]);
    try {
      for (let generation = 1; generation <= SWAPS; generation += 1) {
        await daemon.client.writeProjection('torn', generationFiles(NAMES, generation));
      }
      for (const report of await Promise.all(readers.map((reader) => reader.stop()))) {
        assert.deepEqual(report.failures, []);
        assert.equal(report.mixed, 0);
        assert.equal(report.torn, 0);
        assert.ok(report.generations > 50, `saw ${report.generations} generations in ${report.rounds} rounds`);
      }
    } finally {
      for (const reader of readers) reader.kill();
    }
  });
});
