/**
 * A daemon that kills itself (SIGKILL) at a chosen moment of a write.
 *
 * argv: JSON {folder, dieAtStep?, dieBeforeOperation?}: the name of a step of the atomic writer, or how many system calls
 * through the mount it lets be made before it dies. `armed` files: it dies only once `<folder>/armed` exists.
 *
 * dieAtAllocStep?: a step of work on allocs, by its number from 1 or its name (the first of them). Each step is written to `<folder>/steps` while armed.
 *
 * stallBeforeOperation?: from that system call on nothing in this process gets a thread of the pool, so that it answers no
 * request that has to flush or to read a file. Needs the named pipe `<folder>/pipe`.
 */
import { appendFileSync, existsSync, open } from 'node:fs';
import { join } from 'node:path';
import { silentLog } from '../../../src/base/log.ts';
import { Daemon } from '../../../src/daemon/daemon.ts';
import type { MountOperation, ThroughMount } from '../../../src/vfs/ports.ts';

interface Settings {
  readonly folder: string;
  readonly dieAtStep?: string;
  readonly dieBeforeOperation?: number;
  readonly stallBeforeOperation?: number;
  readonly dieAtAllocStep?: number | string;
}

/** Threads of libuv's pool, which all threads of the process share. */
const POOL_THREADS = 4;

const settings = JSON.parse(process.argv[2] ?? '{}') as Settings;
const runtimeDir = join(settings.folder, 'run');

let allocSteps = 0;
const isArmed = (): boolean => existsSync(join(settings.folder, 'armed'));
const die = (): void => {
  process.kill(process.pid, 'SIGKILL');
};

/** To open a pipe that nobody writes to takes forever. */
function stallPool(): void {
  for (let thread = 0; thread < POOL_THREADS; thread += 1) open(join(settings.folder, 'pipe'), 'r', () => undefined);
}

function oneByOne(agent: ThroughMount): ThroughMount {
  let left = settings.dieBeforeOperation ?? Number.POSITIVE_INFINITY;
  let leftToStall = settings.stallBeforeOperation ?? Number.POSITIVE_INFINITY;
  return {
    async run(directory: string, operations: readonly MountOperation[]): Promise<readonly number[]> {
      const outcomes: number[] = [];
      for (const operation of operations) {
        if (isArmed() && left-- === 0) die();
        if (isArmed() && leftToStall-- === 0) stallPool();
        const [errno = 0] = await agent.run(directory, [operation]);
        outcomes.push(errno);
        if (errno !== 0) break;
      }
      return outcomes;
    },
  };
}

const daemon = await Daemon.start(
  {
    stateDir: join(settings.folder, 'state'),
    runtimeDir,
    mountPoint: join(runtimeDir, 'mnt'),
    controlSocket: join(runtimeDir, 'dunnage.sock'),
    transport: 'kernel',
    takeoverTimeoutSeconds: 60,
    logLevel: 'info',
    logFormat: 'json',
  },
  silentLog,
  {
    throughMount: oneByOne,
    onAllocStep: (step) => {
      if (!isArmed()) return;
      allocSteps += 1;
      appendFileSync(join(settings.folder, 'steps'), `${step}\n`);
      if (allocSteps === settings.dieAtAllocStep || step === settings.dieAtAllocStep) die();
    },
    onStep: (step) => {
      if (isArmed() && step === settings.dieAtStep) die();
    },
  },
);
process.stdout.write('live\n');
await daemon.ended;
