/** Start and end of the daemon in every odd circumstance. */
import assert from 'node:assert/strict';
import { existsSync, watch } from 'node:fs';
import { access, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { DaemonProcess } from '../tools/daemon-process.ts';
import { mountsBeneath } from './helpers/fuse-connections.ts';
import { untilEnded } from './helpers/process-end.ts';
import { killDaemon, projectionRoot, startDaemon, text } from './helpers/projected.ts';
import { begin, run } from './helpers/run.ts';

let daemon: DaemonProcess;
beforeEach(async () => {
  daemon = await startDaemon();
});
afterEach(() => daemon.stop());

interface Failed {
  readonly code: number;
  readonly stderr: string;
}

async function failure(command: Promise<unknown>): Promise<Failed> {
  try {
    await command;
  } catch (error) {
    return error as Failed;
  }
  throw new assert.AssertionError({ message: 'the command did not fail' });
}

function untilThere(path: string): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (!existsSync(path)) return;
      watcher.close();
      resolve();
    };
    const watcher = watch(dirname(path), look);
    look();
  });
}

describe('a second up', () => {
  it('on the same runtime directory is refused with its reason', async () => {
    const { pid } = await daemon.client.status();
    const { code, stderr } = await failure(daemon.up());
    assert.equal(code, 5);
    assert.match(stderr, new RegExp(`another daemon \\(pid ${pid}\\) uses the runtime directory`));
    assert.match(stderr, /dunnage down/);
  });

  it('on the same state directory is refused, and nothing of it stays', async () => {
    const other = join(daemon.folder, 'other');
    const up = ['up', '--detach', '--state-dir', daemon.stateDir, '--runtime-dir', other];
    const main = join(import.meta.dirname, '../../src/cli/main.js');
    const { code, stderr } = await failure(run(process.execPath, [main, ...up]));
    assert.equal(code, 5);
    assert.match(stderr, /uses the state directory/);
    assert.deepEqual(await mountsBeneath(other), []);
    assert.ok(!(await readdir(other)).some((name) => name.endsWith('.sock')));
  });

  it('on the same mount point is refused, and the tree there goes on', async () => {
    await daemon.client.writeProjection('web', text({ key: 'content' }));
    const other = join(daemon.folder, 'other');
    const up = [
      'up',
      '--detach',
      '--state-dir',
      join(other, 'state'),
      '--runtime-dir',
      join(other, 'run'),
      '--mount',
      daemon.mountPoint,
    ];
    const main = join(import.meta.dirname, '../../src/cli/main.js');
    const { code, stderr } = await failure(run(process.execPath, [main, ...up]));
    assert.equal(code, 5);
    assert.match(stderr, /another daemon serves/);
    assert.equal(await readFile(join(projectionRoot(daemon, 'web'), 'key'), 'utf8'), 'content');
  });

  it('on a mount point that is not empty is refused', async () => {
    const other = join(daemon.folder, 'other');
    const mount = join(other, 'mount');
    await mkdir(mount, { recursive: true });
    await writeFile(join(mount, 'file'), 'x');
    const up = [
      'up',
      '--detach',
      '--state-dir',
      join(other, 'state'),
      '--runtime-dir',
      join(other, 'run'),
      '--mount',
      mount,
    ];
    const main = join(import.meta.dirname, '../../src/cli/main.js');
    const { stderr } = await failure(run(process.execPath, [main, ...up]));
    assert.match(stderr, /is not empty/);
    assert.equal(await readFile(join(mount, 'file'), 'utf8'), 'x');
    await assert.rejects(access(join(other, 'run/holder.sock')));
  });
});

describe('a runtime directory that is reached through a symlink', () => {
  it('is taken over, and nothing of its tree is left after down', async () => {
    await daemon.dunnage('down');
    const link = join(daemon.folder, 'link');
    await symlink('run', link);
    const main = join(import.meta.dirname, '../../src/cli/main.js');
    const up = [main, 'up', '--detach', '--state-dir', daemon.stateDir, '--runtime-dir', link];
    await run(process.execPath, up);
    assert.equal((await mountsBeneath(daemon.mountPoint)).length, 4);
    await daemon.client.writeProjection('web', text({ key: 'content' }));
    await killDaemon(daemon);
    await run(process.execPath, up);
    assert.ok((await daemon.client.status()).takenOver);
    await daemon.dunnage('down');
    assert.deepEqual(await mountsBeneath(daemon.mountPoint), []);
  });

  it('is cleared by down when the daemon is dead', async () => {
    await daemon.dunnage('down');
    const link = join(daemon.folder, 'link');
    await symlink('run', link);
    const main = join(import.meta.dirname, '../../src/cli/main.js');
    await run(process.execPath, [main, 'up', '--detach', '--state-dir', daemon.stateDir, '--runtime-dir', link]);
    const { holderPid } = await daemon.client.status();
    process.kill(holderPid as number, 'SIGKILL');
    await killDaemon(daemon);
    await run(process.execPath, [main, 'down', '--runtime-dir', link]);
    assert.deepEqual(await mountsBeneath(daemon.mountPoint), []);
  });
});

describe('a start that is interrupted', () => {
  for (const [signal, mounts] of [
    ['SIGINT', 0],
    ['SIGTERM', 4],
  ] as const) {
    it(`by ${signal} leaves ${mounts === 0 ? 'nothing' : 'a tree that can be taken over'}, whenever it comes`, async () => {
      await daemon.dunnage('down');
      const main = join(import.meta.dirname, '../../src/cli/main.js');
      const up = [main, 'up', '--state-dir', daemon.stateDir, '--runtime-dir', daemon.runtimeDir];
      // In the middle: the holder is there, the tree is not.
      const started = begin(process.execPath, up);
      await untilThere(join(daemon.runtimeDir, 'holder.sock'));
      started.process.kill(signal);
      const { code, stderr } = await started.ended;
      assert.notEqual(code, 0);
      assert.match(stderr, new RegExp(`the start was interrupted by ${signal}`));
      assert.equal((await mountsBeneath(daemon.mountPoint)).length, mounts);
      assert.equal((await readdir(daemon.runtimeDir)).includes('holder.sock'), mounts > 0);
      await daemon.up();
      assert.equal((await daemon.client.status()).takenOver, mounts > 0);
    });
  }
});

describe('the end of a tree', () => {
  it('comes in order when somebody unmounts it from outside', async () => {
    const { pid, holderPid } = await daemon.client.status();
    await run('umount', ['-R', daemon.mountPoint]);
    await untilEnded(pid);
    await untilEnded(holderPid as number);
    assert.deepEqual(await mountsBeneath(daemon.mountPoint), []);
    assert.ok(!(await readdir(daemon.runtimeDir)).some((name) => name.endsWith('.sock')));
    await daemon.up();
    assert.equal((await daemon.client.status()).takenOver, false);
  });

  it('[S6] comes by itself when no daemon returns in the configured time', async () => {
    await daemon.dunnage('down');
    await daemon.up('--takeover-timeout', '1s');
    await daemon.client.writeProjection('web', text({ key: 'content' }));
    const { holderPid } = await daemon.client.status();
    await killDaemon(daemon);
    await untilEnded(holderPid as number);
    assert.deepEqual(await mountsBeneath(daemon.mountPoint), []);
    await daemon.up();
    assert.equal(await readFile(join(projectionRoot(daemon, 'web'), 'key'), 'utf8'), 'content');
  });

  it('is cleared away by the next up when holder and daemon died', async () => {
    await daemon.client.writeProjection('web', text({ key: 'content' }));
    const { holderPid } = await daemon.client.status();
    process.kill(holderPid as number, 'SIGKILL');
    await killDaemon(daemon);
    await assert.rejects(stat(join(daemon.mountPoint, 'never-looked-up')));
    await daemon.up();
    assert.equal(await readFile(join(projectionRoot(daemon, 'web'), 'key'), 'utf8'), 'content');
    assert.equal((await mountsBeneath(daemon.mountPoint)).length, 4);
  });

  it('keeps a busy mount usable until the daemon ends, and then unmounts it', async () => {
    await daemon.client.writeProjection('web', text({ key: 'content' }));
    const target = join(daemon.folder, 'bound');
    await mkdir(target);
    await run('mount', ['--bind', projectionRoot(daemon, 'web'), target]);
    try {
      await daemon.dunnage('down');
      assert.deepEqual(await mountsBeneath(daemon.mountPoint), []);
      await assert.rejects(readdir(target), { code: 'ENOTCONN' });
    } finally {
      await run('umount', [target]);
    }
  });
});

describe('the store', () => {
  it('brings everything back after a reboot', async () => {
    await daemon.client.writeProjection('web', text({ key: 'content', 'a/b': 'nested' }));
    await daemon.dunnage('down');
    await daemon.up();
    const root = projectionRoot(daemon, 'web');
    assert.equal(await readFile(join(root, 'key'), 'utf8'), 'content');
    assert.equal(await readFile(join(root, 'a/b'), 'utf8'), 'nested');
  });
});
