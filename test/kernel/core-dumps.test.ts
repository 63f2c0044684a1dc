/**
 * A daemon that crashes leaves no memory image, whatever the limits and core_pattern(5) of the host say. The pattern is the
 * host's: it is put back, and names a folder of this test only while it runs.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { DaemonProcess } from '../tools/daemon-process.ts';
import { untilEnded } from './helpers/process-end.ts';
import { projectionRoot, startDaemon, TEST_PARENT } from './helpers/projected.ts';

const PATTERN = '/proc/sys/kernel/core_pattern';
const PLAIN = 'no-core-may-hold-this-secret';

function missing(): string | false {
  try {
    accessSync(PATTERN, constants.W_OK);
    return false;
  } catch {
    return `${PATTERN} cannot be written here`;
  }
}

describe('a crash of the daemon', { skip: missing() }, () => {
  let daemon: DaemonProcess;
  let folder: string;
  const pattern = readFileSync(PATTERN, 'utf8');
  const cores = (): string[] => readdirSync(folder).map((name) => join(folder, name));

  before(async () => {
    folder = mkdtempSync(join(TEST_PARENT, 'cores-'));
    daemon = await startDaemon();
  });
  after(async () => {
    writeFileSync(PATTERN, pattern);
    await daemon.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** What a process of this test leaves that does nothing against it. */
  async function dumpOfOther(): Promise<Buffer | undefined> {
    const script = `const text = Buffer.from(${JSON.stringify(PLAIN)}); console.log('ready'); setInterval(() => text, 1e6)`;
    const child = spawn('prlimit', ['--core=unlimited', process.execPath, '-e', script]);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill('SIGABRT');
    await new Promise((resolve) => child.once('exit', resolve));
    const [core] = cores();
    if (core === undefined) return undefined;
    const content = readFileSync(core);
    rmSync(core);
    return content;
  }

  async function crash(signal: NodeJS.Signals): Promise<void> {
    const password = `${PLAIN}-${signal}`;
    await daemon.client.apply(
      `{apiVersion: v1, kind: Secret, metadata: {name: db}, stringData: {password: ${password}}}`,
    );
    const path = join(projectionRoot(daemon, 'secret.db'), 'password');
    assert.equal(await readFile(path, 'utf8'), password);
    const { pid } = await daemon.client.status();
    process.kill(pid, signal);
    await untilEnded(pid);
    assert.deepEqual(cores(), []);
    await daemon.up();
    assert.equal(await readFile(path, 'utf8'), password);
  }

  it('[S26] leaves no core dump as a file', async () => {
    writeFileSync(PATTERN, `${folder}/core.%p`);
    assert.ok((await dumpOfOther())?.includes(PLAIN), 'others leave theirs there');
    for (const signal of ['SIGSEGV', 'SIGABRT'] as const) await crash(signal);
  });

  it('[S26] gives none to a program that collects them, which no limit holds back', async (t) => {
    writeFileSync(PATTERN, `|/usr/bin/tee ${folder}/core.%p`);
    const other = await dumpOfOther();
    // The kernel runs the program in the first mount namespace: in a container that is elsewhere.
    if (other === undefined) return t.skip('core dumps of others do not arrive here');
    assert.ok(other.includes(PLAIN), 'others give theirs');
    await crash('SIGSEGV');
  });
});
