/** Figures of the driver devicemapper from user-mode-linux, for information: such a kernel is slow, and has one processor. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { compiledRoot, repositoryRoot } from '../tools/repository.ts';
import type { GuestFigures } from './guest/thin-pool-rounds.ts';
import { type Benchmark, ROUNDS_MIN, type Rounds } from './harness.ts';

const run = promisify(execFile);

const TIMEOUT_SECONDS = 120;
const PROGRAMS: Readonly<Record<string, string>> = {
  'linux.uml': 'user-mode-linux',
  thin_ls: 'thin-provisioning-tools',
  busybox: 'busybox-static',
};

/** Measured once, in one kernel, for all figures. */
let measured: Promise<GuestFigures> | undefined;

function missing(): string | undefined {
  for (const [program, name] of Object.entries(PROGRAMS)) {
    const places = ['/usr/bin', '/bin', '/usr/sbin'];
    if (!places.some((place) => existsSync(join(place, program))))
      return `needs ${program}: apt-get install --no-install-recommends ${name}`;
  }
  return undefined;
}

async function measureInGuest(): Promise<GuestFigures> {
  const program = join(compiledRoot(), 'test/bench/guest/thin-pool-rounds.js');
  // One more: the first is thrown away.
  const script = `TMPDIR=/dev/shm exec node ${program} ${ROUNDS_MIN + 1}`;
  const tool = join(repositoryRoot(), 'test/tools/uml-run');
  const { stdout } = await run(tool, ['--timeout', String(TIMEOUT_SECONDS), '--', 'sh', '-c', script]);
  return JSON.parse(stdout) as GuestFigures;
}

async function prepare(figure: keyof GuestFigures): Promise<Rounds | string> {
  const reason = missing();
  if (reason !== undefined) return reason;
  measured ??= measureInGuest();
  const { ours, baseline } = (await measured)[figure];
  // Whoever wants more rounds than were measured gets the same again.
  const next = (rounds: number[]): Promise<number> => {
    const nanoseconds = rounds.shift() ?? Number.NaN;
    rounds.push(nanoseconds);
    return Promise.resolve(nanoseconds);
  };
  const millisecondsOf = (rounds: readonly number[]): number =>
    Math.round(([...rounds].sort((one, other) => one - other)[Math.floor(rounds.length / 2)] ?? 0) / 1e4) / 100;
  const counts = { guestMilliseconds: millisecondsOf(ours) };
  return {
    ours: () => next(ours),
    baseline: () => next(baseline),
    counts: () => Promise.resolve(counts),
    close: () => Promise.resolve(),
  };
}

export const guestThinpoolBenchmarks: readonly Benchmark<unknown>[] = [
  {
    name: 'thinpool.devicemapper-create-20',
    baseline: 'bare commands of the device-mapper, side by side (user-mode-linux)',
    better: 'lower',
    target: 3,
    isInformation: true,
    prepare: () => prepare('create'),
  },
  {
    name: 'thinpool.devicemapper-snapshot',
    baseline: 'bare commands of the device-mapper (user-mode-linux)',
    better: 'lower',
    target: 3,
    isInformation: true,
    prepare: () => prepare('snapshot'),
  },
];
