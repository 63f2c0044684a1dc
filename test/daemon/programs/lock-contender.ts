/**
 * Tries to lock each of the directories on the command line and keeps what it got. Standard input gives the time to begin,
 * milliseconds since the epoch; each directory has its moment after it, so that several contenders meet. Writes `ready`, and
 * then the outcomes: `won` or an error code for each, in one line.
 */
import { once } from 'node:events';
import { DaemonLock } from '../../../src/daemon/daemon-lock.ts';
import type { DunnageError } from '../../../src/errors/dunnage-error.ts';
import { loadNative } from '../../../src/native/load.ts';

const MOMENT_MS = 3;

function outcome(directory: string, atMs: number): string {
  while (performance.timeOrigin + performance.now() < atMs);
  try {
    DaemonLock.acquire(directory, 'state directory');
    return 'won';
  } catch (error) {
    return (error as DunnageError).code;
  }
}

loadNative();
process.stdout.write('ready\n');
const [line] = await once(process.stdin, 'data');
const outcomes = process.argv.slice(2).map((directory, index) => outcome(directory, Number(line) + index * MOMENT_MS));
process.stdout.write(`${outcomes.join(' ')}\n`);
