import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import type { NativeBinding } from '../../src/native/binding.ts';
import { loadNative } from '../../src/native/load.ts';
import { withoutAddon } from '../../src/native/without-addon.ts';

const native = withoutAddon(new DunnageError('MISSING_DEPENDENCY', 'there is no addon', { remedy: 'build it' }));
const folder = mkdtempSync(join(tmpdir(), 'dunnage-without-addon-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('it has every function of the addon', () => {
  assert.deepEqual(Object.keys(native).sort(), Object.keys(loadNative()).sort());
});

test('what only the addon can do says why there is none and how to get it', () => {
  const calls: readonly ((binding: NativeBinding) => unknown)[] = [
    (binding) => binding.openFuseDevice(),
    (binding) => binding.socketPair('stream'),
    (binding) => binding.createMemfd('x', 1),
    (binding) => binding.setPropagation('/', 'shared', false),
  ];
  for (const call of calls) {
    assert.throws(() => call(native), { code: 'MISSING_DEPENDENCY', remedy: 'build it', message: /there is no addon/ });
  }
});

test('a lock keeps out other open files, also those that the addon locks, until it is closed', () => {
  const path = join(folder, 'lock');
  const [first, second, third] = [openSync(path, 'w'), openSync(path, 'w'), openSync(path, 'w')];
  assert.equal(native.tryLock(first), true);
  assert.equal(native.tryLock(first), true);
  assert.equal(native.tryLock(second), false);
  assert.equal(loadNative().tryLock(third), false);
  closeSync(first);
  assert.equal(loadNative().tryLock(third), true);
  assert.equal(native.tryLock(second), false);
  for (const descriptor of [second, third]) closeSync(descriptor);
});

test('what is written after a flush is there, whole, where it belongs', async () => {
  const path = join(folder, 'root');
  const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_DSYNC, 0o600);
  const bytes = Buffer.from('durable');
  const written = native.flushThenWrite(descriptor, descriptor, bytes, 3);
  bytes.fill('x');
  await written;
  assert.equal(readFileSync(path, 'latin1'), '\0\0\0durable');
  const done = new Uint8Array(1);
  await native.writeThrough(descriptor, Buffer.from('record'), 1, done);
  assert.equal(readFileSync(path, 'latin1'), '\0recordble');
  assert.equal(done[0], 1);
  closeSync(descriptor);
  await assert.rejects(native.flushThenWrite(descriptor, descriptor, bytes, 0), { code: 'EBADF' });
});

test('core dumps are forbidden', async () => {
  const url = new URL('../../src/native/without-addon.js', import.meta.url).href;
  const program = `
    const { withoutAddon } = await import(${JSON.stringify(url)});
    withoutAddon(new Error('none')).forbidCoreDumps();
    console.log((await import('node:fs')).readFileSync('/proc/self/limits', 'utf8').match(/Max core file size +(\\d+) +(\\d+)/).slice(1).join());`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program]);
  let output = '';
  child.stdout.on('data', (text: Buffer) => {
    output += text.toString();
  });
  await once(child, 'close');
  assert.equal(output.trim(), '0,0');
});

test('unmounting what is no mount fails as the system call does', () => {
  assert.throws(() => native.unmount(folder, false), { code: 'EINVAL', syscall: 'umount2' });
  assert.throws(() => native.unmount(folder, true), { code: 'EINVAL' });
  assert.throws(
    () => native.unmount(join(folder, 'nothing'), false),
    (error: NodeJS.ErrnoException) => ['ENOENT', 'EINVAL'].includes(error.code ?? ''),
  );
});

test("a holder socket that does not exist is nobody's; one that exists cannot be asked", () => {
  assert.throws(() => native.connectSeqpacket(join(folder, 'no.sock')), { code: 'ENOENT' });
  assert.throws(() => native.connectSeqpacket(folder), { code: 'MISSING_DEPENDENCY' });
});
