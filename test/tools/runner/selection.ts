/** Which compiled test files are run, in which phase. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

export interface Phase {
  readonly name: string;
  /** Test files run side by side. */
  readonly concurrency: number;
  readonly fileMinutesMax: number;
  /** Sources, relative to test/. */
  readonly sources: readonly string[];
}

/** Phases that run beside each other. */
export type Step = readonly Phase[];

/**
 * These mount, kill daemons or count what a daemon does: side by side on a small machine they would disturb each
 * other's timing, and what one leaves behind could not be told from what another still uses.
 */
const SERIAL_ROOMS = ['kernel/', 'daemon/mounted-tree', 'cli/demo/', 'bench/', 'examples'];

/** These have a kernel of their own: they need a processor for long, and share nothing with what mounts on this one. */
const GUESTS = ['kernel/uml.test.ts'];

/** Every `*.test.ts` below `testFolder` whose path (with or without `test/`) begins with `only`, in a stable order. */
export function findTests(testFolder: string, only: string): string[] {
  const prefix = only.replace(/^(?:\.\/)?(?:test\/)?/, '');
  return readdirSync(testFolder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.ts') && path.startsWith(prefix))
    .sort();
}

export function intoSteps(sources: readonly string[], processors: number): readonly Step[] {
  const isGuest = (source: string): boolean => GUESTS.includes(source);
  const isSerial = (source: string): boolean => SERIAL_ROOMS.some((room) => source.startsWith(room));
  const phase = (
    name: string,
    concurrency: number,
    fileMinutesMax: number,
    isIn: (source: string) => boolean,
  ): Phase => ({ name, concurrency, fileMinutesMax, sources: sources.filter(isIn) });
  const steps: Step[] = [
    [phase('side by side', processors, 6, (source) => !isSerial(source))],
    [
      phase('one after another', 1, 6, (source) => isSerial(source) && !isGuest(source)),
      phase('in guests', 1, 20, isGuest),
    ],
  ];
  return steps.map((step) => step.filter(({ sources }) => sources.length > 0)).filter((step) => step.length > 0);
}

/** The compiled file of a source: found from the source, so that what was compiled from a removed one never runs. */
export function compiledPath(compiledTestFolder: string, source: string): string {
  return join(compiledTestFolder, source.replace(/\.ts$/, '.js'));
}
