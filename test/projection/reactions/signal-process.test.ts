import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { signalNumber, signalPidFile } from '../../../src/projection/reactions/signal-process.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dunnage-pid-'));
});
after(() => rm(folder, { recursive: true }));

const signal = (pidFile: string): ReturnType<typeof signalPidFile> =>
  signalPidFile({ kind: 'pidFile', pidFile, signal: 'SIGTERM' });

async function pidFile(content: string): Promise<string> {
  const path = join(folder, 'a.pid');
  await writeFile(path, content);
  return path;
}

describe('signalPidFile', () => {
  it('signals the process that the file names', async () => {
    const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
    const outcome = await signal(await pidFile(`${child.pid}\n`));
    assert.deepEqual(outcome, { succeeded: true, detail: `SIGTERM to process ${child.pid}` });
    assert.deepEqual(await once(child, 'exit'), [null, 'SIGTERM']);
  });

  it('[S31] leaves a process alone that is younger than the file', async () => {
    const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
    const path = await pidFile(String(child.pid));
    await utimes(path, 1, 1);
    await assert.rejects(signal(path), { code: 'STALE', message: /younger than the file/ });
    assert.equal(child.exitCode ?? child.signalCode, null);
    child.kill('SIGKILL');
    assert.deepEqual(await once(child, 'exit'), [null, 'SIGKILL']);
  });

  it('says that a process is gone', async () => {
    const child = spawn('true', { stdio: 'ignore' });
    await once(child, 'exit');
    await assert.rejects(signal(await pidFile(String(child.pid))), { code: 'NOT_FOUND', message: /which is gone/ });
    await assert.rejects(signal(join(folder, 'none.pid')), { code: 'NOT_FOUND', message: /cannot read the pid file/ });
  });

  for (const content of ['', 'x', '12 34', '-1', '0', '1', '4294967297', String(process.pid), '1'.repeat(100)]) {
    it(`refuses a file that holds "${content.slice(0, 12)}"`, async () => {
      await assert.rejects(signal(await pidFile(content)), { code: 'INVALID_ARGUMENT', message: /is no pid file/ });
    });
  }

  it('refuses what is no regular file, without waiting for it', async () => {
    const fifo = join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    await assert.rejects(signal(fifo), { code: 'INVALID_ARGUMENT' });
    await symlink('/dev/zero', join(folder, 'device'));
    await assert.rejects(signal(join(folder, 'device')), { code: 'INVALID_ARGUMENT' });
    await assert.rejects(signal(folder), { code: 'INVALID_ARGUMENT' });
  });
});

describe('signalNumber', () => {
  it('knows the names of the host', () => {
    assert.equal(signalNumber('SIGHUP'), 1);
    assert.throws(() => signalNumber('HUP'), { code: 'INVALID_ARGUMENT' });
  });
});
