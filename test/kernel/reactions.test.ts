/** `spec.onSwap` on a real host: commands and signals after swaps, also across the death of the daemon. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { ReactionsSummary } from '../../src/server/operations.ts';
import type { DaemonProcess } from '../tools/daemon-process.ts';
import { until } from '../tools/until.ts';
import { ControlGroup, controlGroupRoot } from './helpers/control-group.ts';
import { killDaemon, startDaemon, text } from './helpers/projected.ts';

const groups = controlGroupRoot();
const needsGroups = groups === undefined ? { skip: 'no control group (v2) can be made on this host' } : {};

let daemon: DaemonProcess;
beforeEach(async () => {
  daemon = await startDaemon();
});
afterEach(() => daemon.stop());

const inFolder = (name: string): string => join(daemon.folder, name);

/** Projects `a` with this content and these reactions (YAML flow). */
function apply(content: string, ...reactions: string[]): Promise<string> {
  const manifest = `
apiVersion: dunnage/v1
kind: Projection
metadata: {name: web}
spec:
  files: [{path: a, data: ${JSON.stringify(content)}}]
  onSwap: [${reactions.join(', ')}]
`;
  return daemon.client.apply(manifest).then(([result]) => result?.action ?? '');
}

const shell = (script: string, more = ''): string =>
  `{exec: {command: [/bin/sh, -c, ${JSON.stringify(script)}]${more}}}`;

async function reactions(): Promise<ReactionsSummary | undefined> {
  return (await daemon.client.getProjection('Projection', 'default', 'web')).reactions;
}

/** Of the run for this generation, when nothing is left to do. */
function ran(generation: number): Promise<ReactionsSummary> {
  return until(`the reactions to generation ${generation}`, async () => {
    const found = await reactions();
    return found?.pending === false && found.last?.generation === generation ? found : undefined;
  });
}

async function lines(name: string): Promise<string[]> {
  const content = await readFile(inFolder(name), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return content.split('\n').filter((line) => line !== '');
}

describe('reactions to swaps', () => {
  it('[S28] run after the swap can be seen, and not for a write that changes nothing', async () => {
    const note = shell(
      `echo "$DUNNAGE_PROJECTION $DUNNAGE_GENERATION $(cat "$DUNNAGE_PATH/a")" >> ${inFolder('seen')}`,
    );
    assert.equal(await apply('one', note), 'created');
    await ran(1);
    assert.equal(await apply('one', note), 'unchanged');
    assert.equal(await apply('two', note), 'configured');
    const { last, runs, failures } = await ran(2);
    assert.deepEqual(await lines('seen'), ['web 1 one', 'web 2 two']);
    assert.deepEqual([runs, failures], [2, 0]);
    assert.deepEqual(last?.outcomes, [
      { reaction: 'exec /bin/sh', succeeded: true, detail: 'exit code 0, 0 bytes of output' },
    ]);
    // Another payload keeps the reactions.
    await daemon.client.writeProjection('web', text({ a: 'three' }));
    await ran(3);
    assert.equal((await lines('seen')).at(-1), 'web 3 three');
    assert.equal(await apply('three', note, note), 'configured');
    assert.equal((await reactions())?.last?.generation, 3);
  });

  it('[S28] never hold a swap up; swaps during a run are answered by one later run, for the newest', async () => {
    const gate = inFolder('gate');
    const wait = shell(
      `echo "$DUNNAGE_GENERATION" >> ${inFolder('runs')}; while [ ! -e ${gate} ]; do sleep 0.02; done`,
    );
    await apply('0', wait);
    await until('the first run', async () => (await lines('runs')).length === 1);
    for (let swap = 1; swap < 5; swap += 1) assert.equal(await apply(String(swap), wait), 'configured');
    assert.equal((await reactions())?.pending, true);
    await writeFile(gate, '');
    await ran(5);
    assert.deepEqual(await lines('runs'), ['1', '5']);
  });

  it('[S29] run after a rollback, and when a source has changed', async () => {
    const note = `echo "$DUNNAGE_GENERATION $(cat "$DUNNAGE_PATH/a")" >> ${inFolder('seen')}`;
    await apply('one', shell(note));
    await ran(1);
    await apply('two', shell(note));
    await ran(2);
    await daemon.dunnage('projection', 'rollback', 'web');
    await ran(3);
    assert.deepEqual(await lines('seen'), ['1 one', '2 two', '3 one']);
    const source = inFolder('a');
    await writeFile(source, 'from the host');
    const spec = `{sources: [{file: {path: ${source}}}], onSwap: [${shell(note)}]}`;
    await daemon.client.apply(`{apiVersion: dunnage/v1, kind: Projection, metadata: {name: web}, spec: ${spec}}`);
    await ran(4);
    await writeFile(source, 'changed');
    await ran(5);
    assert.deepEqual((await lines('seen')).slice(3), ['4 from the host', '5 changed']);
  });

  it('[S29] run again after a crash that cut them short, and only then', async () => {
    const gate = inFolder('gate');
    const script = `echo "$DUNNAGE_GENERATION" >> ${inFolder('runs')}; while [ ! -e ${gate} ]; do sleep 0.02; done`;
    await apply('0', shell(script));
    await until('the first run', async () => (await lines('runs')).length === 1);
    await killDaemon(daemon);
    await daemon.up();
    await until('the second run', async () => (await lines('runs')).length === 2);
    await writeFile(gate, '');
    await ran(1);
    await killDaemon(daemon);
    await daemon.up();
    assert.equal((await reactions())?.runs, 1);
    assert.deepEqual(await lines('runs'), ['1', '1']);
  });

  it('[S30] what a command prints is in no log and no answer; a failure is', async () => {
    await apply('0', shell('echo hunter2; echo hunter2 >&2; exit 3', ', env: {TOKEN: hunter2}'));
    const { last, failures } = await ran(1);
    assert.deepEqual(last?.outcomes, [
      { reaction: 'exec /bin/sh', succeeded: false, detail: 'exit code 3, 16 bytes of output' },
    ]);
    assert.equal(failures, 1);
    const log = await readFile(join(daemon.runtimeDir, 'dunnage.log'), 'utf8');
    assert.match(log, /a reaction to a swap failed/);
    assert.ok(!log.includes('hunter2'));
    assert.match(await daemon.client.metrics(), /dunnage_reactions_total\{outcome="failed"\} 1/);
    const shown = await daemon.dunnage('get', 'projection', 'web');
    assert.match(shown, /^Reactions: +1 run, 1 failed$/m);
    assert.match(shown, /^exec \/bin\/sh +FAILED +exit code 3, 16 bytes of output$/m);
  });

  it('signal the process of a pid file', async () => {
    const script = `trap 'echo hup; exit' HUP; echo $$ > ${inFolder('a.pid')}; echo ready; while :; do sleep 0.02; done`;
    const child = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    await once(child.stdout, 'data');
    await apply('0', `{signal: {pidFile: ${inFolder('a.pid')}, signal: SIGHUP}}`);
    assert.deepEqual(await ended, [0, null]);
    const { last } = await ran(1);
    assert.equal(last?.outcomes[0]?.detail, `SIGHUP to process ${child.pid}`);
  });

  it('signal every process of a control group', needsGroups, async () => {
    const group = new ControlGroup(groups ?? '', `dunnage-reaction-${process.pid}`);
    const children = [1, 2].map(() => spawn('sleep', ['1000'], { stdio: 'ignore' }));
    const ends = Promise.all(children.map((child) => once(child, 'exit')));
    try {
      for (const child of children) group.add(child.pid ?? 0);
      await apply('0', `{signal: {cgroup: ${group.path}, signal: SIGHUP}}`);
      assert.deepEqual(await ends, [
        [null, 'SIGHUP'],
        [null, 'SIGHUP'],
      ]);
    } finally {
      for (const child of children) child.kill('SIGKILL');
      await ends;
      group.remove();
    }
  });

  it('[S30] that run when the daemon is ended are killed, and run again with the next', async () => {
    await apply('0', shell(`echo $$ >> ${inFolder('runs')}; exec sleep 1000`));
    await until('the run', async () => (await lines('runs')).length === 1);
    await daemon.dunnage('down');
    const [first] = await lines('runs');
    await assert.rejects(readFile(`/proc/${first}/stat`), { code: 'ENOENT' });
    await daemon.up();
    await until('the next run', async () => (await lines('runs')).length === 2);
  });
});
