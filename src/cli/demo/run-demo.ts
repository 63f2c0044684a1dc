/**
 * `dunnage demo`: a Kubernetes Secret rotates under a program in its own mount namespace, and the daemon is killed while that
 * program reads on. Then two tasks of an alloc: one writes logs, somebody follows them. Everything happens in a temporary folder with a daemon of its own and is removed at the end.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { DunnageError } from '../../errors/dunnage-error.ts';
import { openTerminal, type Terminal } from '../output/terminal.ts';
import { DemoHost } from './demo-host.ts';
import { type FollowedLog, followLog } from './demo-logs.ts';
import { drawTimeline, drawTree, readTree, type TimelineEntry, toTimeline } from './demo-pictures.ts';
import { DemoReader } from './demo-reader.ts';
import { hostMs, type ReaderReport } from './reader-messages.ts';

export interface DemoOptions {
  /** Print one JSON document instead of the story. */
  readonly json: boolean;
  /** Leave daemon and tree as they are at the end. */
  readonly keep: boolean;
}

export interface DemoResult {
  readonly upMs: number;
  readonly takeoverMs: number;
  /** Events seen in the mount namespace at each rotation. */
  readonly rotations: readonly (readonly TimelineEntry[])[];
  /** The reader's counts while no daemon ran, and over everything. */
  readonly withoutDaemon: ReaderReport;
  readonly total: ReaderReport;
  /** What was followed of a log that a task wrote. */
  readonly log: FollowedLog;
}

const EXAMPLES = fileURLToPath(new URL('../../../../examples/', import.meta.url));
const MANIFESTS = ['config-map.yaml', 'projection.yaml', 'secret.yaml'];
const ALLOC_MANIFEST = 'alloc.yaml';
const ALLOC = 'shop';
const SECRET_DIRECTORY = 'secret.db';
const READ_FILE = 'password';
/** How long the reader reads on without a daemon before the next one comes. */
const WITHOUT_DAEMON_MS = 750;
/** After the new value was read: time for the watcher to tell the last events of a swap. */
const SETTLE_MS = 100;

const readExample = (name: string): Promise<string> => readFile(join(EXAMPLES, name), 'utf8');

function requireRoot(): void {
  if (process.geteuid?.() === 0) return;
  throw new DunnageError('PERMISSION_DENIED', 'the demo makes a mount that every user may see and a mount namespace', {
    remedy: 'run it as root: sudo npm run demo',
  });
}

class Story {
  readonly #terminal: Terminal;
  readonly #silent: boolean;
  #step = 0;

  constructor(terminal: Terminal, silent: boolean) {
    this.#terminal = terminal;
    this.#silent = silent;
  }

  step(title: string): void {
    this.#step += 1;
    this.#say(`\n${this.#terminal.paint('bold', `${this.#step}. ${title}`)}\n`);
  }

  lines(lines: readonly string[], colour: 'dim' | 'green' = 'dim'): void {
    for (const line of lines) this.#say(`   ${this.#terminal.paint(colour, line)}\n`);
  }

  #say(text: string): void {
    if (!this.#silent) this.#terminal.out(text);
  }
}

/** Applies a manifest and waits until the reader has read what it brings. */
async function rotate(host: DemoHost, reader: DemoReader, manifest: string): Promise<TimelineEntry[]> {
  const yaml = await readExample(manifest);
  const { position } = reader;
  const startMs = hostMs();
  await host.client.apply(yaml);
  const appliedMs = hostMs();
  await reader.waitFor(({ type }) => type === 'value', position);
  await reader.waitFor((message) => message.type === 'event' && message.name === '..data', position);
  await delay(SETTLE_MS);
  const timeline = toTimeline(reader.since(position), startMs);
  const applied = { afterMs: appliedMs - startMs, what: 'apply returned: the new generation is durable' };
  return [...timeline, applied].sort((a, b) => a.afterMs - b.afterMs);
}

function add(reports: readonly ReaderReport[]): ReaderReport {
  return {
    reads: reports.reduce((sum, { reads }) => sum + reads, 0),
    failures: reports.reduce((sum, { failures }) => sum + failures, 0),
    firstFailure: reports.find(({ firstFailure }) => firstFailure !== undefined)?.firstFailure,
    longestReadMs: Math.max(...reports.map(({ longestReadMs }) => longestReadMs)),
  };
}

async function showTree(host: DemoHost, story: Story): Promise<void> {
  story.step(`dunnage apply -f ${MANIFESTS.join(' -f ')}`);
  for (const name of MANIFESTS) {
    const results = await host.client.apply(await readExample(name));
    story.lines(results.map((result) => `${result.kind.toLowerCase()}/${result.name} ${result.action}`));
  }
  const projections = join(host.mountPoint, 'projections');
  for (const name of (await readdir(projections)).sort()) {
    story.lines([`projections/${name}/`, ...drawTree(await readTree(join(projections, name)))]);
  }
}

async function tell(host: DemoHost, story: Story, started: (reader: DemoReader) => void): Promise<DemoResult> {
  story.step('dunnage up --detach');
  const upMs = await host.up();
  story.lines([`the tree is mounted at ${host.mountPoint} (${upMs.toFixed(0)} ms)`]);
  await showTree(host, story);

  story.step('A program starts in a mount namespace of its own, like a container');
  const inside = join(host.folder, 'container/run/secrets/db');
  const reader = await DemoReader.start(join(host.mountPoint, 'projections', SECRET_DIRECTORY), inside, READ_FILE);
  started(reader);
  story.lines([`it sees ${SECRET_DIRECTORY} at ${inside}, read-only, watches it and reads ${READ_FILE} without end`]);

  story.step('The Secret rotates: dunnage apply -f secret-rotated.yaml');
  const first = await rotate(host, reader, 'secret-rotated.yaml');
  story.lines(drawTimeline(first));
  const before = await reader.report();

  const pid = await host.killDaemon();
  story.step(`kill -9 ${pid}: the daemon is gone, the reader reads on`);
  await delay(WITHOUT_DAEMON_MS);
  const withoutDaemon = await reader.report();
  story.lines([
    `${withoutDaemon.reads} reads in ${WITHOUT_DAEMON_MS} ms without a daemon, ${withoutDaemon.failures} failed`,
  ]);

  story.step('dunnage up --detach: the next daemon takes over the same mount');
  const takeoverMs = await host.up();
  const { takenOver } = await host.client.status();
  if (!takenOver) throw new DunnageError('INTERNAL', 'the second daemon started anew instead of taking over');
  story.lines([`it answers after ${takeoverMs.toFixed(0)} ms; nothing was unmounted`]);

  story.step('The Secret rotates again: dunnage apply -f secret.yaml');
  const second = await rotate(host, reader, 'secret.yaml');
  story.lines(drawTimeline(second));
  const total = add([before, withoutDaemon, await reader.report()]);
  const log = await showAlloc(host, story);
  return { upMs, takeoverMs, rotations: [first, second], withoutDaemon, total, log };
}

async function showAlloc(host: DemoHost, story: Story): Promise<FollowedLog> {
  story.step(`dunnage apply -f ${ALLOC_MANIFEST}: directories for two tasks`);
  const results = await host.client.apply(await readExample(ALLOC_MANIFEST));
  story.lines(results.map((result) => `${result.kind.toLowerCase()}/${result.name} ${result.action}`));
  const { path, tasks } = await host.client.getAlloc(ALLOC);
  story.lines(tasks.map((task) => `allocs/${ALLOC}/${task.name}/: local, tmp, secrets (memory)`));
  const [web] = tasks;
  if (web?.projections.some(({ presented }) => !presented) !== false) {
    throw new DunnageError('INTERNAL', 'the Secret is not presented in its task');
  }
  story.lines([`allocs/${ALLOC}/web/local/db/: secret.db, read-only`]);

  story.step(`A task writes its log in a mount namespace of its own: dunnage fs logs -f ${ALLOC} web`);
  const inside = join(host.folder, 'container/alloc');
  const { runtimeDir } = host;
  const log = await followLog({ alloc: ALLOC, task: 'web', sharedDirectory: join(path, 'alloc'), inside, runtimeDir });
  story.lines([`${log.followed} of ${log.written} lines followed, in order, over a rotation of the file`]);
  return log;
}

function summarize(story: Story, { total, takeoverMs, log }: DemoResult): void {
  const summary =
    `${total.reads} reads, ${total.failures} failed, 2 rotations seen, ` +
    `1 daemon killed and replaced (${takeoverMs.toFixed(0)} ms); longest read ${total.longestReadMs.toFixed(1)} ms; ` +
    `${log.followed} log lines followed`;
  story.lines([summary], 'green');
}

/** Ctrl-C ends the story but not the cleaning up. */
function interruption(): Promise<never> {
  return new Promise((_, reject) => {
    process.once('SIGINT', () =>
      reject(new DunnageError('INTERRUPTED', 'the demo was interrupted; all of it is removed')),
    );
  });
}

/**
 * Runs the demo on standard output.
 * @throws PERMISSION_DENIED without root; INTERNAL, saying what went wrong, if a step fails or a read of the program failed.
 */
export async function runDemo(options: DemoOptions): Promise<void> {
  requireRoot();
  const terminal = openTerminal(process.stdout, process.stderr, process.env);
  const story = new Story(terminal, options.json);
  const host = await DemoHost.create();
  let reader: DemoReader | undefined;
  try {
    const telling = tell(host, story, (started) => {
      reader = started;
    });
    const result = await Promise.race([telling, interruption()]);
    if (!result.log.isWhole)
      throw new DunnageError('INTERNAL', 'the log that was followed is not the one that was written');
    if (result.total.failures > 0) {
      throw new DunnageError('INTERNAL', `${result.total.failures} reads failed (${result.total.firstFailure})`);
    }
    await reader?.stop();
    story.step(options.keep ? 'Everything stays as it is' : 'dunnage down');
    if (!options.keep) await host.remove();
    summarize(story, result);
    if (options.json) terminal.out(`${JSON.stringify(result, null, 2)}\n`);
    if (options.keep) terminal.say(`look at ${host.mountPoint}, and end it with: ${host.commandLine('down')}\n`);
  } catch (error) {
    await reader?.stop();
    await host.abandon();
    throw error;
  }
}
