/**
 * The file API against tenants that rename and plant links without end, in the directories that are looked at. What comes back is
 * compared: nothing of the outside, nothing of the secrets, however it was asked for.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type BigIntStats, chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { AllocFiles } from '../../../src/alloc/files/alloc-files.ts';
import type { FileInfo } from '../../../src/alloc/files/file-info.ts';
import { snapshotAlloc } from '../../../src/alloc/snapshot/snapshot-alloc.ts';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import { compileProgram } from '../../tools/compile-program.ts';

const SECRET = 'SECRET of the task';
const CANARY = 'CANARY outside of the alloc';
/** No file of a tenant has this size. */
const CANARY_BYTES = 7_654_321;
const CANARY_NAME = 'only-outside';

const NAMES = [
  'a',
  'b',
  'c',
  'canary',
  'key',
  'data',
  'logs',
  'web.stdout',
  'web.stdout.0',
  'web.stdout.1',
  'a/b',
  'a/b/c',
];
const PLACES = ['', '/', 'web', 'web/local', 'web/local/a', 'web/local/a/b', 'alloc', 'alloc/data', 'alloc/logs'];

/** What may go wrong with a file that somebody else is changing. Anything else is a fault of ours. */
const EXPECTED = [
  'NOT_FOUND',
  'NOT_A_DIRECTORY',
  'IS_A_DIRECTORY',
  'INVALID_PATH',
  'INVALID_ARGUMENT',
  'PERMISSION_DENIED',
];

export interface RaceScene {
  /** Where the tenants work: the directory of the alloc as they see it. */
  readonly tenantRoot: string;
  /** Where it really is. */
  readonly root: string;
  /** A directory beside the alloc's parent, made by `prepareRace`. */
  readonly outside: string;
}

/** What came back, so that a race that met nobody is noticed. */
export interface RaceTally {
  calls: number;
  answers: number;
  refusals: number;
  bytes: number;
}

/** Makes what must never be seen. */
export function prepareRace({ root, outside }: RaceScene): void {
  mkdirSync(join(root, 'web/secrets'), { recursive: true });
  writeFileSync(join(root, 'web/secrets/key'), SECRET);
  // What may be written may be linked by other users, too.
  chmodSync(join(root, 'web/secrets/key'), 0o666);
  for (const path of [root, join(root, 'web')]) chmodSync(path, 0o777);
  mkdirSync(join(outside, CANARY_NAME), { recursive: true });
  writeFileSync(join(outside, 'canary'), Buffer.alloc(CANARY_BYTES, CANARY));
}

export class TenantRacer {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start({ tenantRoot, outside }: RaceScene, threads: number): Promise<TenantRacer> {
    const program = compileProgram('test/kernel/native/tenant-racer.cc', 'tenant-racer');
    const child = spawn(program, [tenantRoot, outside, String(threads)], { stdio: ['ignore', 'pipe', 'inherit'] });
    await Promise.race([once(child.stdout as NodeJS.ReadableStream, 'data'), once(child, 'error')]);
    return new TenantRacer(child);
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async stop(): Promise<void> {
    if (!this.isRunning) return;
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGKILL');
    await closed;
  }
}

/** Asks for everything until the time is over. */
export async function raceAgainst(files: AllocFiles, durationMs: number, seed: number): Promise<RaceTally> {
  const tally: RaceTally = { calls: 0, answers: 0, refusals: 0, bytes: 0 };
  const endMs = performance.now() + durationMs;
  let state = seed;
  const below = (bound: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
  while (performance.now() < endMs) {
    const path = `${PLACES[below(PLACES.length)]}/${NAMES[below(NAMES.length)]}`;
    tally.calls += 1;
    try {
      await ask(files, path, below(6), tally);
      tally.answers += 1;
    } catch (error) {
      if (!(error instanceof DunnageError) || !EXPECTED.includes(error.code)) throw error;
      if (error.code === 'INVALID_PATH' || error.code === 'PERMISSION_DENIED') tally.refusals += 1;
    }
    // System calls of the guard run at once: others get their turn between two questions.
    await new Promise(setImmediate);
  }
  return tally;
}

async function ask(files: AllocFiles, path: string, kind: number, tally: RaceTally): Promise<void> {
  const controller = new AbortController();
  const { signal } = controller;
  switch (kind) {
    case 0:
      return assertInside(await files.list(path));
    case 1:
      return assertInside([await files.stat(path)]);
    case 2:
      return await readAll(await files.readAt(path, 0), tally);
    case 3: {
      setTimeout(() => controller.abort(), 5);
      return await readAll(dataOf(files.follow(path, { follow: true, signal })), tally);
    }
    case 4: {
      setTimeout(() => controller.abort(), 5);
      return await readAll(dataOf(files.logs({ task: 'web', type: 'stdout', follow: true, signal })), tally);
    }
    default:
      setTimeout(() => controller.abort(new DunnageError('NOT_FOUND', 'it did not appear')), 5);
      return await files.blockUntilExists(path, signal);
  }
}

async function* dataOf(events: AsyncIterable<{ readonly data?: Buffer }>): AsyncGenerator<Buffer> {
  for await (const { data } of events) if (data !== undefined) yield data;
}

async function readAll(chunks: AsyncIterable<Uint8Array>, tally: RaceTally): Promise<void> {
  for await (const chunk of chunks) {
    const text = Buffer.from(chunk).toString('latin1');
    tally.bytes += chunk.length;
    // Tenants write nothing else.
    assert.match(text, /^[tenan\n]*$/, `read: ${text.slice(0, 80)}`);
  }
}

function assertInside(infos: readonly FileInfo[]): void {
  for (const { name, sizeBytes } of infos) {
    assert.notEqual(name, CANARY_NAME, 'a directory outside was listed');
    assert.notEqual(sizeBytes, CANARY_BYTES, 'a file outside was told of');
  }
}

/** Snapshots, one after another, until the time is over. That something vanishes while it is archived is no fault of ours. */
export async function snapshotAgainst({ root }: RaceScene, durationMs: number): Promise<{ archived: number }> {
  const tally = { archived: 0 };
  const endMs = performance.now() + durationMs;
  while (performance.now() < endMs) {
    const output = new PassThrough();
    const source = { directory: { path: dirname(root) }, id: basename(root), tasks: ['web'] };
    const snapshot = snapshotAlloc(source, output).catch((error: unknown) => {
      if (!(error instanceof DunnageError)) throw error;
    });
    const chunks: Buffer[] = [];
    for await (const chunk of output) chunks.push(chunk as Buffer);
    await snapshot;
    const archive = Buffer.concat(chunks);
    tally.archived += archive.length;
    for (const text of [SECRET, CANARY, CANARY_NAME, 'root:x:0:0:']) {
      assert.equal(archive.indexOf(text), -1, `an archive holds "${text}"`);
    }
  }
  return tally;
}

/** Everything of the outside that a write would change. */
export function stateOfOutside({ outside }: RaceScene): unknown {
  const shown = ({ mode, uid, gid, size, mtimeNs, ctimeNs, nlink }: BigIntStats): string =>
    [mode, uid, gid, size, mtimeNs, ctimeNs, nlink].join();
  return {
    names: readdirSync(outside).sort(),
    directory: shown(lstatSync(outside, { bigint: true })),
    canary: shown(lstatSync(join(outside, 'canary'), { bigint: true })),
    below: readdirSync(join(outside, CANARY_NAME)),
    begins: readFileSync(join(outside, 'canary'), 'latin1').slice(0, CANARY.length),
  };
}
