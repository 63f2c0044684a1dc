/**
 * The same kernel suites on another kernel: Debian's user-mode-linux (6.1), which has neither FUSE_NOTIFY_RESEND nor the newer
 * INIT flags. Each suite gets a kernel of its own. Such a kernel has one processor; one of the host's is left to the other tests.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { compileProgram } from '../tools/compile-program.ts';
import { compiledRoot, repositoryRoot } from '../tools/repository.ts';

const run = promisify(execFile);

/** Relative to test/kernel. What is slow and says nothing about the kernel is left out. */
const SUITES = [
  'alloc-posix',
  'fuse-connection',
  'fuse-takeover',
  'kill-in-a-request',
  'live-watches',
  'loopback-takeover',
  'projection-conformance',
  'projection-mount',
  // In memory: loop devices with direct I/O cannot lie on the guest's root.
  'device-mapper-driver',
  'device-mapper-devices',
  'device-mapper-crashes',
  'device-mapper-kills',
  'thinpool-power-loss',
  'device-mapper-pool',
  'device-mapper-daemon',
  'device-mapper-commands',
  'device-mapper-space',
] as const;
const GUESTS = Math.max(1, availableParallelism() - 1);
const SUITE_SECONDS_MAX = 240;
const OUTPUT_BYTES_MAX = 32 * 1024 * 1024;

interface GuestRun {
  readonly kernel: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly string[];
  readonly output: string;
}

function missing(): string | false {
  if (process.geteuid?.() !== 0) return 'needs root to look at files as root in the guest';
  const found = (name: string): boolean =>
    ['/usr/bin', '/bin', '/usr/sbin'].some((folder) => existsSync(join(folder, name)));
  if (!found('linux.uml')) return 'needs linux.uml: apt-get install --no-install-recommends user-mode-linux';
  if (!found('thin_ls')) return 'needs thin_ls: apt-get install --no-install-recommends thin-provisioning-tools';
  if (!found('busybox')) return 'needs busybox: apt-get install --no-install-recommends busybox-static';
  return false;
}

/** Runs a compiled test file in the guest. Does not throw if tests fail there: the caller shows what they said. */
async function runInGuest(suite: string): Promise<GuestRun> {
  const file = join(compiledRoot(), 'test/kernel', `${suite}.test.js`);
  const settings = [
    'export DUNNAGE_DIFFERENTIAL_RUNS=10',
    ...(/^(device-mapper|thinpool)-/.test(suite) ? ['export TMPDIR=/dev/shm'] : []),
  ];
  const script = `uname -r; unset NODE_TEST_CONTEXT; ${settings.join('; ')}; exec node --test --test-reporter=tap "$0"`;
  const command = ['--timeout', String(SUITE_SECONDS_MAX), '--', 'sh', '-c', script, file];
  const tool = join(repositoryRoot(), 'test/tools/uml-run');
  const { stdout, stderr } = await run(tool, command, { maxBuffer: OUTPUT_BYTES_MAX }).catch(
    (error: { stdout?: string; stderr?: string }) => ({
      stdout: error.stdout ?? '',
      stderr: error.stderr ?? String(error),
    }),
  );
  const count = (what: string): number => Number(new RegExp(`^# ${what} (\\d+)$`, 'm').exec(stdout)?.[1] ?? Number.NaN);
  return {
    kernel: stdout.split('\n')[0] ?? '',
    passed: count('pass'),
    failed: count('fail') + count('cancelled'),
    skipped: [...stdout.matchAll(/^ *ok \d+ - (.* # SKIP .*)$/gm)].map((match) => match[1] ?? ''),
    output: `${stdout}\n${stderr}`,
  };
}

/** The part of a TAP document that says what went wrong. */
function failures(output: string): string {
  const parts = output
    .split('\n')
    .flatMap((line, index, lines) => (/^ *not ok /.test(line) ? lines.slice(index, index + 14) : []));
  return parts.length > 0 ? parts.join('\n') : output.slice(-4000);
}

describe('on the kernel of user-mode-linux', { concurrency: GUESTS, skip: missing() }, () => {
  // There it would take a minute.
  before(() => {
    compileProgram('test/conformance/posix/native', 'posix-syscalls');
    compileProgram('test/conformance/posix/exerciser', 'posix-exerciser');
  });

  for (const suite of SUITES) {
    test(`${suite} passes`, { timeout: (SUITE_SECONDS_MAX + 30) * 1000 }, async (context) => {
      const result = await runInGuest(suite);
      context.diagnostic(`Linux ${result.kernel}: ${result.passed} passed, ${result.skipped.length} skipped`);
      for (const skipped of result.skipped) context.diagnostic(`skipped there: ${skipped}`);
      assert.match(result.kernel, /^6\.1\./, result.output.slice(-2000));
      assert.equal(result.failed, 0, failures(result.output));
      assert.ok(result.passed > 0, result.output.slice(-2000));
    });
  }
});
