/** The command line against a real daemon: start, use, refuse a second one, die, take over, end. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { waitForEnd } from '../../src/cli/process-end.ts';
import { dunnage, type Ran } from '../cli/run-dunnage.ts';
import { DaemonProcess } from '../tools/daemon-process.ts';
import { compiledRoot } from '../tools/repository.ts';
import { mountsBeneath } from './helpers/fuse-connections.ts';
import { mountTestsSkip, run } from './helpers/run.ts';

const skip = mountTestsSkip();
const SECRET = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db' }, stringData: { password: 'hunter2' } };

describe('the command line and a daemon', { timeout: 120_000, ...(skip === undefined ? {} : { skip }) }, () => {
  let daemon: DaemonProcess;
  const command = (...words: string[]): Promise<Ran> =>
    dunnage([...words, '--socket', join(daemon.runtimeDir, 'dunnage.sock')]);
  const up = (...words: string[]): Promise<Ran> =>
    dunnage(['up', '--state-dir', daemon.stateDir, '--runtime-dir', daemon.runtimeDir, ...words]);

  before(async () => {
    daemon = await DaemonProcess.start(tmpdir());
  });
  after(() => daemon.stop());

  it('up --detach returned with a live tree, a private socket and a private log', async () => {
    assert.equal((await stat(join(daemon.runtimeDir, 'dunnage.sock'))).mode & 0o777, 0o600);
    assert.equal((await stat(join(daemon.runtimeDir, 'dunnage.log'))).mode & 0o777, 0o600);
    assert.equal((await mountsBeneath(daemon.mountPoint)).length, 4);
  });

  it('what is applied is where path says, listed, and unchanged the second time', async () => {
    const apply = (): Promise<Ran> =>
      dunnage(['apply', '-f', '-', '--socket', join(daemon.runtimeDir, 'dunnage.sock')], {
        input: JSON.stringify(SECRET),
      });
    assert.deepEqual(await apply(), { exitCode: 0, stdout: 'secret/db created\n', stderr: '' });
    assert.deepEqual(await apply(), { exitCode: 0, stdout: 'secret/db unchanged\n', stderr: '' });
    const path = (await command('path', 'secret/db', '--file', 'password')).stdout.trim();
    assert.equal(await run('cat', [path]), 'hunter2');
    assert.match((await command('get', 'secrets')).stdout, /^NAME .*\ndb +Secret +1 +1 +7 B /);
    assert.doesNotMatch(await run('cat', [join(daemon.runtimeDir, 'dunnage.log')]), /hunter2/);
  });

  it('a second daemon is refused with its reason, in front and detached', async () => {
    for (const words of [[], ['--detach']]) {
      const second = await up(...words);
      assert.equal(second.exitCode, 5);
      assert.match(second.stderr, /dunnage: another daemon \(pid \d+\) uses .*\n {2}end it with: dunnage down\n$/);
    }
    assert.equal((await command('status')).exitCode, 0);
  });

  it('after kill -9 the commands say what is left, and up takes over', async () => {
    await kill();
    assert.equal((await command('status')).exitCode, 3);
    const doctor = await command('doctor', '--runtime-dir', daemon.runtimeDir, '--state-dir', daemon.stateDir);
    assert.match(doctor.stdout, /^warn +holder +a holder keeps the tree/m);
    assert.match((await command('down', '--keep')).stdout, /^no daemon runs; the tree waits/);
    assert.equal((await up('--detach')).exitCode, 0);
    assert.match((await command('status')).stdout, /took over the tree/);
  });

  it('down --keep leaves the tree for the next daemon', async () => {
    assert.equal((await command('down', '--keep')).exitCode, 0);
    assert.equal((await mountsBeneath(daemon.mountPoint)).length, 4);
    assert.equal((await up('--detach')).exitCode, 0);
    assert.match((await command('status')).stdout, /took over the tree/);
  });

  it('down clears what a dead daemon left', async () => {
    await kill();
    assert.deepEqual(await command('down'), {
      exitCode: 0,
      stdout: 'no daemon ran; the tree it had left is unmounted\n',
      stderr: '',
    });
    assert.deepEqual(await mountsBeneath(daemon.mountPoint), []);
    assert.equal((await command('down')).stdout, 'nothing runs\n');
  });

  it('Ctrl-C in front unmounts and ends with 0', async (context) => {
    const words = ['up', '--state-dir', daemon.stateDir, '--runtime-dir', daemon.runtimeDir];
    const child = spawn(process.execPath, [join(compiledRoot(), 'src/cli/main.js'), ...words], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    context.after(() => child.kill('SIGKILL'));
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    assert.equal(line.toString(), `dunnage is live at ${daemon.mountPoint}\n`);
    child.kill('SIGINT');
    assert.deepEqual(await once(child, 'exit'), [0, null]);
    assert.deepEqual(await mountsBeneath(daemon.mountPoint), []);
    assert.ok(!(await readdir(daemon.runtimeDir)).includes('dunnage.sock'));
  });

  it('in front it serves on when nobody reads its output and its log is full', async (context) => {
    const full = await open('/dev/full', 'w');
    context.after(() => full.close());
    const words = ['up', '--state-dir', daemon.stateDir, '--runtime-dir', daemon.runtimeDir];
    const child = spawn(process.execPath, [join(compiledRoot(), 'src/cli/main.js'), ...words], {
      stdio: ['ignore', 'pipe', full.fd],
    });
    context.after(() => child.kill('SIGKILL'));
    const ended = once(child, 'exit');
    child.stdout?.destroy();
    const live = async (): Promise<boolean> => (await command('status')).exitCode === 0;
    while (child.exitCode === null && !(await live()));
    assert.match((await command('status')).stdout, new RegExp(`pid ${child.pid},`));
    assert.equal((await command('down')).exitCode, 0);
    assert.deepEqual(await ended, [0, null]);
  });

  async function kill(): Promise<void> {
    const { pid } = await daemon.client.status();
    process.kill(pid, 'SIGKILL');
    assert.ok(await waitForEnd(pid, 10_000));
  }
});
