/** Many watchers, many swaps, many projections: what must not be lost, and what must not grow. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';
import { compileProgram } from '../tools/compile-program.ts';
import type { DaemonProcess } from '../tools/daemon-process.ts';
import { writtenBytes } from '../tools/resident-memory.ts';
import { type Footprint, SwapLoad } from '../tools/swap-load.ts';
import { projectionRoot, startDaemon, text } from './helpers/projected.ts';
import { mountTestsSkip } from './helpers/run.ts';

const WATCHING_PROCESSES = 100;
/** The kernel lets each user have 128 inotify instances. */
const WATCHERS_EACH = 100;
const WATCHED_SWAPS = 5;

const SWAPS = 3000;
const QUARTERS = 4;
/** As many as are kept by default. */
const GENERATIONS = 10;
const LEAK_BYTES_PER_SWAP = 4 * 1024;
/** The file grows by steps of 256 KiB until there are enough free pages; a page that is lost at each swap is eight times this. */
const STORE_LEAK_BYTES_PER_SWAP = 512;

const OTHERS = 300;
const COUNTED_SWAPS = 50;

const skip = mountTestsSkip();
/** Longer than it takes on any machine, shorter than the runner waits for the file: what hangs is to be cleaned up. */
const timeout = 120_000;

describe('scale', { skip }, () => {
  test('[S3] each of 10,000 watchers of one projection sees each of five swaps, once', { timeout }, async (t) => {
    const program = compileProgram('test/kernel/native/watchers.cc', 'test-watchers');
    const daemon = await startDaemon();
    t.after(() => daemon.stop());
    await daemon.client.writeProjection('watched', text({ config: '0' }));
    const directory = projectionRoot(daemon, 'watched');
    const args = [WATCHING_PROCESSES, WATCHERS_EACH, directory, WATCHED_SWAPS].map(String);
    const watchers = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => watchers.kill('SIGKILL'));
    const lines = linesOf(watchers);
    assert.equal(await lines(), 'ready');
    for (let swap = 1; swap <= WATCHED_SWAPS; swap += 1) {
      await daemon.client.writeProjection('watched', text({ config: String(swap) }));
    }
    const [count, least, most, overflows] = (await lines())?.split(' ').map(Number) ?? [];
    assert.deepEqual(
      { count, least, most, overflows },
      { count: WATCHING_PROCESSES * WATCHERS_EACH, least: WATCHED_SWAPS, most: WATCHED_SWAPS, overflows: 0 },
    );
  });

  test('3000 swaps leave nothing behind: memory, store, content, generations and descriptors stay as they are', {
    timeout,
  }, async (t) => {
    const daemon = await startDaemon();
    t.after(() => daemon.stop());
    const load = new SwapLoad(daemon, 'busy');
    const footprints: Footprint[] = [];
    for (let quarter = 0; quarter < QUARTERS; quarter += 1) {
      for (let swap = 0; swap < SWAPS / QUARTERS; swap += 1) await load.swap();
      footprints.push(await load.footprint(GENERATIONS));
    }
    for (const { blobs, generations } of footprints) {
      // One file of ten differs from generation to generation.
      assert.deepEqual({ blobs, generations }, { blobs: 9 + GENERATIONS, generations: GENERATIONS });
    }
    const grown = (read: (footprint: Footprint) => number): number[] =>
      footprints.slice(1).map((footprint, index) => read(footprint) - read(footprints[index] as Footprint));
    // A leak grows in each quarter; the collector and the allocator, which take memory when they like, do not.
    assert.ok(Math.min(...grown(({ descriptors }) => descriptors)) <= 0, JSON.stringify(footprints));
    const perQuarter = SWAPS / QUARTERS;
    assert.ok(
      Math.min(...grown(({ storeBytes }) => storeBytes)) < STORE_LEAK_BYTES_PER_SWAP * perQuarter,
      JSON.stringify(footprints),
    );
    assert.ok(
      Math.min(...grown(({ residentBytes }) => residentBytes)) < LEAK_BYTES_PER_SWAP * perQuarter,
      JSON.stringify(footprints),
    );
  });

  test('what a swap asks and writes does not depend on how many projections there are', { timeout }, async (t) => {
    const daemon = await startDaemon();
    t.after(() => daemon.stop());
    const alone = await costOfSwap(daemon, new SwapLoad(daemon, 'one'));
    const names = Array.from({ length: OTHERS }, (_, other) => `other-${other}`).values();
    const lane = async (): Promise<void> => {
      for (const name of names) await daemon.client.writeProjection(name, text({ a: name, b: `${name} b` }));
    };
    await Promise.all(Array.from({ length: 8 }, lane));
    const amongMany = await costOfSwap(daemon, new SwapLoad(daemon, 'one-more'));
    assert.ok(amongMany.requests <= alone.requests + 1, JSON.stringify({ alone, amongMany }));
    // A tree of more projections has one more level here and there, and a commit writes the pages from leaf to root.
    assert.ok(amongMany.bytes <= alone.bytes * 1.5, JSON.stringify({ alone, amongMany }));
  });
});

interface SwapCost {
  readonly requests: number;
  readonly bytes: number;
}

/** Of one swap in the mean, when the projection has as many generations as are kept. */
async function costOfSwap(daemon: DaemonProcess, load: SwapLoad): Promise<SwapCost> {
  for (let swap = 0; swap <= GENERATIONS; swap += 1) await load.swap();
  const before = await costsSoFar(daemon);
  for (let swap = 0; swap < COUNTED_SWAPS; swap += 1) await load.swap();
  const after = await costsSoFar(daemon);
  return {
    requests: (after.requests - before.requests) / COUNTED_SWAPS,
    bytes: (after.bytes - before.bytes) / COUNTED_SWAPS,
  };
}

async function costsSoFar(daemon: DaemonProcess): Promise<SwapCost> {
  const { pid, connections } = await daemon.client.status();
  const requests = connections.find(({ name }) => name === 'projections')?.requests;
  assert.ok(requests !== undefined);
  return { requests, bytes: writtenBytes(pid) };
}

/** Reads the output of a process line by line; undefined at its end. */
function linesOf(child: ChildProcess): () => Promise<string | undefined> {
  assert.ok(child.stdout);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return async () => {
    const line = await lines.next();
    return line.done === true ? undefined : line.value;
  };
}
