/**
 * A consumer of a projection, in a process of its own: reads in a loop and checks what it reads, until it is told to stop.
 *
 * argv: directory, names (comma-separated). Each file holds `<generation>\n` and padding; all files of one generation
 * say the same. Every round reads the files below the directory that `..data` names at its start (one generation), and
 * each file once by its visible name (each whole). Ends at end of input and prints a JSON report.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

const [root = '', list = ''] = process.argv.slice(2);
const names = list.split(',');
const report = { rounds: 0, generations: 0, mixed: 0, torn: 0, failures: [] as string[] };
const seen = new Set<string>();
/** Reads in bursts, so that the daemon and the other readers get their share of two processors. */
const BUSY_MS = 5;
const IDLE_MS = 5;

/** The generation a file belongs to; padding that differs from its head means that a read was torn. */
function generationOf(path: string): string {
  const content = readFileSync(path, 'utf8');
  const [head = '', ...rest] = content.split('\n');
  if (!rest.every((line) => line === '' || line === head)) report.torn += 1;
  return head;
}

function readOnce(): void {
  const directory = join(root, readlinkSync(join(root, '..data')));
  const generations = new Set(names.map((name) => generationOf(join(directory, name))));
  if (generations.size !== 1) report.mixed += 1;
  for (const generation of generations) seen.add(generation);
  for (const name of names) generationOf(join(root, name));
}

function loop(): void {
  const until = performance.now() + BUSY_MS;
  while (performance.now() < until) {
    try {
      readOnce();
    } catch (error) {
      if (report.failures.length < 20) report.failures.push(String(error));
    }
    report.rounds += 1;
  }
  if (ended) finish();
  else setTimeout(loop, IDLE_MS);
}

let ended = false;
function finish(): void {
  report.generations = seen.size;
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

process.stdin.on('end', () => {
  ended = true;
});
process.stdin.resume();
process.stdout.write('reading\n');
loop();
