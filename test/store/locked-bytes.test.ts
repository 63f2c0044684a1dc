import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { LockedBytes } from '../../src/store/locked-bytes.ts';
import { compiledRoot } from '../tools/repository.ts';
import { makeStateDirectory } from './state-directory.ts';

const descriptors = (): string[] =>
  readdirSync('/proc/self/fd').flatMap((name) => {
    try {
      return [readlinkSync(`/proc/self/fd/${name}`)];
    } catch {
      // The descriptor of the listing itself.
      return [];
    }
  });
const MODULE = new URL('../../src/store/locked-bytes.js', import.meta.url).href;

test('LockedBytes are zero at first, locked, and leave no descriptor', () => {
  const locked = LockedBytes.allocate();
  assert.equal(locked.lockErrno, 0);
  assert.deepEqual(locked.bytes, new Uint8Array(4096));
  assert.ok(!descriptors().some((target) => target.includes('dunnage-key')));
});

test('LockedBytes.share: another thread maps a copy, and only a number goes there', async () => {
  const locked = LockedBytes.allocate();
  locked.bytes.set([1, 2, 3]);
  const shared = locked.share();
  const script = `
    import { parentPort, workerData } from 'node:worker_threads';
    const { LockedBytes } = await import(${JSON.stringify(MODULE)});
    const { bytes, lockErrno } = LockedBytes.ofShared(workerData);
    parentPort.postMessage([...bytes.subarray(0, 4), lockErrno]);`;
  const url = new URL(`data:text/javascript,${encodeURIComponent(script)}`);
  const worker = new Worker(url, { workerData: shared.descriptor });
  const answer = await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject));
  await worker.terminate();
  shared.release();
  assert.deepEqual(answer, [1, 2, 3, 0, 0]);
  assert.ok(!descriptors().some((target) => target.includes('dunnage-key')));
});

test('a limit of locked memory that is too low is told, and the bytes can be used', () => {
  const script = `
    const { LockedBytes } = await import(${JSON.stringify(MODULE)});
    const locked = LockedBytes.allocate();
    locked.bytes[0] = 7;
    console.log(locked.lockErrno, locked.bytes[0]);`;
  // Only a process without CAP_IPC_LOCK has a limit.
  const limited =
    process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-all', '--inh-caps=-all', '--reuid=65534'] : [];
  const words = ['prlimit', '--memlock=0:0', ...limited, process.execPath, '--input-type=module', '-e', script];
  const printed = execFileSync(words[0] as string, words.slice(1), { encoding: 'utf8', cwd: join('/') });
  assert.match(printed, /^(1|12) 7\n$/);
});

test('without the addon the bytes are ordinary memory, and that is told', (t) => {
  // A package whose native parts were never built.
  const folder = makeStateDirectory(t);
  cpSync(join(compiledRoot(), 'src'), join(folder, 'src'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
  const script = `
    const { LockedBytes } = await import(${JSON.stringify(join(folder, 'src/store/locked-bytes.js'))});
    const locked = LockedBytes.allocate();
    locked.bytes[0] = 7;
    console.log(locked.lockErrno, locked.bytes[0], LockedBytes.pin(0, 32).lockErrno);`;
  const printed = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  assert.equal(printed, `${constants.errno.ENOSYS} 7 ${constants.errno.ENOSYS}\n`);
});
