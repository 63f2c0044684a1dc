import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { ExecReaction, SwapEvent } from '../../../src/projection/reactions/reaction.ts';
import { runCommand } from '../../../src/projection/reactions/run-command.ts';
import { untilEnded } from '../../kernel/helpers/process-end.ts';

const EVENT: SwapEvent = { projection: 'web', generation: 7, path: '/mnt/projections/web' };
const FOREVER = new AbortController().signal;
const shell = (script: string, more: Partial<ExecReaction> = {}): ExecReaction => ({
  kind: 'exec',
  command: ['/bin/sh', '-c', script],
  timeoutMs: 60_000,
  environment: {},
  ...more,
});

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dunnage-command-'));
});
after(() => rm(folder, { recursive: true }));

describe('runCommand', () => {
  it('[S30] gives the program an environment of its own, / to be in, and nothing to read', async () => {
    const path = join(folder, 'seen');
    const script = `{ env; pwd; cat; } > ${path}`;
    const outcome = await runCommand(shell(script, { environment: { LEVEL: 'info' } }), EVENT, FOREVER);
    assert.deepEqual(outcome, { succeeded: true, detail: 'exit code 0, 0 bytes of output' });
    const lines = (await readFile(path, 'utf8')).trim().split('\n');
    // The shell adds these itself.
    const seen = lines.filter((line) => !/^(PWD|OLDPWD|_|SHLVL)=/.test(line)).sort();
    assert.deepEqual(seen, [
      '/',
      'DUNNAGE_GENERATION=7',
      'DUNNAGE_PATH=/mnt/projections/web',
      'DUNNAGE_PROJECTION=web',
      'LEVEL=info',
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    ]);
  });

  it('tells how a failure ended and how much was printed, not what', async () => {
    const outcome = await runCommand(shell('echo hunter2; echo hunter2 >&2; exit 3'), EVENT, FOREVER);
    assert.deepEqual(outcome, { succeeded: false, detail: 'exit code 3, 16 bytes of output' });
    const killed = await runCommand(shell('kill -TERM $$'), EVENT, FOREVER);
    assert.deepEqual(killed, { succeeded: false, detail: 'ended by SIGTERM, 0 bytes of output' });
  });

  it('fails if the program cannot be run', async () => {
    const missing = await runCommand({ ...shell(''), command: ['/no/such/program'] }, EVENT, FOREVER);
    assert.equal(missing.succeeded, false);
    assert.match(missing.detail, /^cannot run \/no\/such\/program: .*ENOENT/);
  });

  it('[S30] kills the program and what it has started when its time is over', async () => {
    const path = join(folder, 'background');
    const script = `sleep 1000 & echo $! > ${path}; wait`;
    const outcome = await runCommand(shell(script, { timeoutMs: 500 }), EVENT, FOREVER);
    assert.deepEqual(outcome, { succeeded: false, detail: 'killed after 0.5 s (its timeout), 0 bytes of output' });
    await untilEnded(Number(await readFile(path, 'utf8')));
  });

  it('kills the program when the daemon ends', async () => {
    const ending = new AbortController();
    const outcome = runCommand(shell('exec sleep 1000'), EVENT, ending.signal);
    ending.abort();
    assert.deepEqual(await outcome, {
      succeeded: false,
      detail: 'killed because the daemon ended, 0 bytes of output',
    });
  });

  it('does not wait for what goes on in the background', async () => {
    const path = join(folder, 'left');
    const outcome = await runCommand(shell(`sleep 1000 & echo $! > ${path}`), EVENT, FOREVER);
    const left = Number(await readFile(path, 'utf8'));
    process.kill(left, 'SIGKILL');
    assert.equal(outcome.succeeded, true);
    await untilEnded(left);
  });

  it('takes more output than a pipe holds', async () => {
    const outcome = await runCommand(shell('head -c 1000000 /dev/zero'), EVENT, FOREVER);
    assert.equal(outcome.succeeded, true);
  });
});
