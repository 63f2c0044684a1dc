/**
 * The test runner: `npm test [-- --only PREFIX]`. Runs every compiled `*.test.ts` with node:test, first what can
 * run side by side, then what mounts, one after another, and beside it what has a kernel of its own. Fails too if a file ran no test, if a test left a mount, a
 * loop device or a process behind, and, with CI=true, if a test was skipped for a reason that is not in
 * test/allowed-skips.json. The last line is `N passed, N failed, N skipped`.
 */
import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { parseArgs } from 'node:util';
import { compiledRoot, repositoryRoot } from './tools/repository.ts';
import { mountFusectl } from './tools/runner/fusectl.ts';
import {
  currentMounts,
  endProcess,
  loopDevices,
  newMounts,
  processesOf,
  RUN_MARKER,
  removeMount,
} from './tools/runner/leftovers.ts';
import { compiledPath, findTests, intoSteps, type Phase, type Step } from './tools/runner/selection.ts';
import { type AllowedSkip, Tally, type TestOutcome } from './tools/runner/tally.ts';

const RUN_TIMEOUT_MS = 40 * 60_000;
const isCi = process.env['CI'] === 'true';

/** Starts one phase: what is reported comes from the stream, every outcome is in `tally`. */
function startPhase(phase: Phase, tally: Tally, signal: AbortSignal): Readable {
  const testFolder = join(compiledRoot(), 'test');
  const files = phase.sources.map((source) => compiledPath(testFolder, source));
  const stream = run({ files, concurrency: phase.concurrency, timeout: phase.fileMinutesMax * 60_000, signal });
  stream.on('test:pass', (outcome) => tally.pass(outcome as TestOutcome));
  stream.on('test:fail', (outcome) => tally.fail(outcome as TestOutcome));
  return stream.compose(new spec()) as unknown as Readable;
}

/** Runs the phases of a step beside each other. The reports do not mix: the first is shown as it comes, the others at its end. */
async function runStep(step: Step, tally: Tally, signal: AbortSignal): Promise<void> {
  const [shown, ...held] = step.map((phase) => startPhase(phase, tally, signal));
  const kept = held.map((report) => report.toArray());
  if (shown !== undefined) for await (const text of shown) process.stdout.write(text);
  for (const texts of kept) process.stdout.write((await texts).join(''));
}

interface Before {
  readonly mounts: ReturnType<typeof currentMounts>;
  readonly loops: readonly string[];
}

/** Names and removes what the tests left behind. Processes first: a daemon that still lives would only mount again. */
function cleanUp(before: Before, marker: string, temporaryFolder: string, tally: Tally): void {
  for (const left of processesOf(marker, temporaryFolder)) {
    tally.problems.push(`left running: process ${left.pid}: ${left.commandLine.slice(0, 200)}`);
    endProcess(left.pid);
  }
  const { ours, others } = newMounts(before.mounts, currentMounts(), temporaryFolder);
  // The newest first. What lies beneath a dead connection has no path any more: it goes with the connection's mount.
  const failures = ours.reverse().map((mount) => {
    tally.problems.push(`left mounted: ${mount.mountPoint} (${mount.type})`);
    return { mount, failure: removeMount(mount) };
  });
  const still = currentMounts();
  for (const { mount, failure } of failures) {
    if (still.some(({ id }) => id === mount.id)) tally.problems.push(`still mounted: ${mount.mountPoint}: ${failure}`);
  }
  // On a machine that people use, these may be theirs.
  for (const mount of isCi ? others : []) tally.problems.push(`left mounted: ${mount.mountPoint} (${mount.type})`);
  for (const loop of loopDevices()) {
    const mayBeTheirs = !isCi && !loop.includes(` ${temporaryFolder}/`);
    if (!before.loops.includes(loop) && !mayBeTheirs) tally.problems.push(`left attached: ${loop}`);
  }
  const isMounted = still.some((mount) => mount.mountPoint.startsWith(`${temporaryFolder}/`));
  if (!isMounted) rmSync(temporaryFolder, { recursive: true, force: true });
}

function reportSkips(tally: Tally, root: string): void {
  if (tally.skipped.length > 0) console.log('\nSkipped:');
  for (const test of tally.skipped) console.log(`  ${test.file}: ${test.name}\n    ${test.reason}`);
  if (!isCi) return;
  const allowed = JSON.parse(readFileSync(join(root, 'test/allowed-skips.json'), 'utf8')) as readonly AllowedSkip[];
  for (const test of tally.forbiddenSkips(allowed)) {
    tally.problems.push(
      `skipped on CI, for a reason that test/allowed-skips.json does not allow: ${test.file}: ${test.name}`,
    );
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { only: { type: 'string', default: '' } } });
  const root = repositoryRoot();
  const sources = findTests(join(root, 'test'), values.only);
  const tally = new Tally(compiledRoot());
  if (sources.length === 0) tally.problems.push(`no test file begins with "${values.only}"`);

  const marker = randomUUID();
  // On a disk (/tmp may be a tmpfs), open to other users (tests act as such), and short (paths of sockets end at 107 bytes).
  const temporaryFolder = mkdtempSync('/var/tmp/dt-');
  chmodSync(temporaryFolder, 0o755);
  const unmountFusectl = mountFusectl();
  const before: Before = { mounts: currentMounts(), loops: loopDevices() };
  process.env[RUN_MARKER] = marker;
  process.env['TMPDIR'] = temporaryFolder;
  const overall = AbortSignal.timeout(RUN_TIMEOUT_MS);
  try {
    for (const step of intoSteps(sources, availableParallelism())) await runStep(step, tally, overall);
  } finally {
    cleanUp(before, marker, temporaryFolder, tally);
    unmountFusectl();
  }
  if (overall.aborted) tally.problems.push(`the whole run took longer than ${RUN_TIMEOUT_MS / 60_000} minutes`);
  reportSkips(tally, root);
  for (const problem of tally.problems) console.log(`\nProblem: ${problem}`);
  console.log(`\n${tally.summary()}`);
  process.exitCode = tally.failed > 0 || tally.problems.length > 0 ? 1 : 0;
}

await main();
