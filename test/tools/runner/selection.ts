/** Which compiled test files are run, in which phase. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

export interface Phase {
  readonly name: string;
  /** Test files run side by side. */
  readonly concurrency: number;
  /** Sources, relative to test/. */
  readonly sources: readonly string[];
}

/**
 * These mount, kill daemons or count what a daemon does: side by side on a small machine they would disturb each
 * other's timing, and what one leaves behind could not be told from what another still uses.
 */
const SERIAL_ROOMS = ['kernel/', 'crash/', 'daemon/', 'cli/', 'bench/', 'examples'];

/** Every `*.test.ts` below `testFolder` whose path (with or without `test/`) begins with `only`, in a stable order. */
export function findTests(testFolder: string, only: string): string[] {
  const prefix = only.replace(/^(?:\.\/)?(?:test\/)?/, '');
  return readdirSync(testFolder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.ts') && path.startsWith(prefix))
    .sort();
}

export function intoPhases(sources: readonly string[], processors: number): readonly Phase[] {
  const serial = (source: string): boolean => SERIAL_ROOMS.some((room) => source.startsWith(room));
  const phases: Phase[] = [
    { name: 'side by side', concurrency: processors, sources: sources.filter((source) => !serial(source)) },
    { name: 'one after another', concurrency: 1, sources: sources.filter(serial) },
  ];
  return phases.filter((phase) => phase.sources.length > 0);
}

/** The compiled file of a source: found from the source, so that what was compiled from a removed one never runs. */
export function compiledPath(compiledTestFolder: string, source: string): string {
  return join(compiledTestFolder, source.replace(/\.ts$/, '.js'));
}
