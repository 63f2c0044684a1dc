import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { silentLog } from '../../src/base/log.ts';
import { durableRootFile, newestSlot, SLOT_BYTES } from '../../src/store/durable-root.ts';
import { dataFile, openEnvironment } from '../../src/store/environment.ts';
import { type Disk, Flusher } from '../../src/store/flusher.ts';
import { makeStateDirectory } from './state-directory.ts';

const program = fileURLToPath(new URL('programs/flush-steps.js', import.meta.url));
const hasStrace = spawnSync('strace', ['-V']).error === undefined;

interface Calls {
  /** fdatasync, fsync, msync and the like of the data file. */
  readonly flushes: readonly { readonly thread: string }[];
  /** Writes to the file of durable roots, which is open with O_DSYNC. */
  readonly roots: readonly { readonly thread: string }[];
}

/** The calls between one mark and the next; `main` is the main thread. */
function traceSteps(stateDir: string): { steps: ReadonlyMap<string, Calls>; main: string } {
  const log = join(stateDir, 'trace');
  const calls = 'fsync,fdatasync,msync,sync,syncfs,sync_file_range,write,pwrite64,pwritev,writev';
  const traced = spawnSync('strace', [
    '-f',
    '-y',
    '-o',
    log,
    '-e',
    `trace=${calls}`,
    process.execPath,
    program,
    join(stateDir, 'state'),
  ]);
  assert.equal(traced.status, 0, traced.stderr.toString());
  const steps = new Map<string, { flushes: { thread: string }[]; roots: { thread: string }[] }>();
  let step = { flushes: [] as { thread: string }[], roots: [] as { thread: string }[] };
  let main = '';
  for (const line of readFileSync(log, 'utf8').split('\n')) {
    const [, thread = '', name = '', rest = ''] = /^(\d+)\s+(\w+)\((.*)$/.exec(line) ?? [];
    const mark = /"MARK ([a-z-]+)/.exec(rest)?.[1];
    if (mark !== undefined) {
      main = thread;
      step = { flushes: [], roots: [] };
      steps.set(mark, step);
    } else if (/sync/.test(name)) step.flushes.push({ thread });
    else if (/durable-root/.test(rest)) step.roots.push({ thread });
  }
  return { steps, main };
}

test('system calls of each kind of commit', { skip: hasStrace ? false : 'strace is not installed' }, (t) => {
  const { steps, main } = traceSteps(makeStateDirectory(t));
  const counts = (name: string): readonly [number, number] => [
    steps.get(name)?.flushes.length ?? -1,
    steps.get(name)?.roots.length ?? -1,
  ];
  assert.deepEqual(counts('buffered'), [0, 0], 'a buffered commit flushes nothing');
  assert.deepEqual(counts('durable'), [1, 1], 'a durable commit flushes once and records its root once');
  assert.deepEqual(counts('durable-sync'), [1, 1]);
  assert.deepEqual(counts('many-durable'), [2, 2], 'twenty at once share two flushes');
  assert.deepEqual(counts('aborted'), [0, 0]);
  assert.deepEqual(counts('nothing-new'), [0, 0], 'what is on disk is not flushed again');
  assert.deepEqual(counts('close'), [1, 1], 'closing makes durable what was only buffered');
  const waits = [...(steps.get('durable')?.flushes ?? []), ...(steps.get('durable')?.roots ?? [])];
  assert(
    waits.every(({ thread }) => thread !== main),
    'the main thread never waits for the disk',
  );
});

test('the first root of a start is written beside the newest of before, which there is to go back to', async (t) => {
  const stateDir = makeStateDirectory(t);
  const bootId = 'a'.repeat(36);
  const roots = durableRootFile(dataFile(stateDir));
  for (let start = 1; start <= 4; start += 1) {
    const environment = openEnvironment({ stateDir, mapSizeBytes: 2 ** 20, readOnly: false, bootId, log: silentLog });
    const former = newestSlot(roots, bootId);
    const written: number[] = [];
    const disk: Disk = {
      commit: () => Promise.reject(new Error('not used')),
      commitSync(_dataFd, rootFd, root, offsetBytes) {
        written.push(offsetBytes / SLOT_BYTES);
        writeSync(rootFd, root, 0, root.length, offsetBytes);
      },
      record: () => Promise.reject(new Error('not used')),
    };
    const flusher = new Flusher(environment, dataFile(stateDir), bootId, { writer: 0, disk });
    flusher.flushSync();
    environment.transactionSync(() => environment.putSync(Buffer.from('start'), Buffer.from([start])));
    flusher.flushSync();
    assert.equal(written.length, 2);
    assert.notEqual(written[0], former);
    await flusher.close();
    await environment.close();
  }
});

test('after a failed flush nothing is promised any more', async (t) => {
  const stateDir = makeStateDirectory(t);
  const environment = openEnvironment({
    stateDir,
    mapSizeBytes: 2 ** 20,
    readOnly: false,
    bootId: 'a'.repeat(36),
    log: silentLog,
  });
  t.after(() => environment.close());
  const broken = Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
  let failures = 1;
  const fail = (): void => {
    failures -= 1;
    if (failures >= 0) throw broken;
  };
  const flusher = new Flusher(environment, dataFile(stateDir), 'a'.repeat(36), {
    writer: 0,
    disk: { commit: async () => fail(), commitSync: fail, record: async () => fail() },
  });
  await assert.rejects(flusher.flush(), { code: 'IO', cause: broken });
  // The disk works again, but what failed to reach it is lost.
  await assert.rejects(flusher.flush(), { code: 'IO' });
  assert.throws(() => flusher.flushSync(), { code: 'IO' });
  assert.throws(() => flusher.assertHealthy(), { code: 'IO' });
  await flusher.close();
});
