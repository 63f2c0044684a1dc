import assert from 'node:assert/strict';
import { closeSync, fstatSync, mkdtempSync, openSync, readdirSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadNative } from '../../../src/native/load.ts';

const native = loadNative();
const openCount = (): number => readdirSync('/proc/self/fd').length;

test('a message arrives with its descriptors, which name the same files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dunnage-sockets-'));
  writeFileSync(join(folder, 'file'), 'content');
  const file = openSync(join(folder, 'file'), 'r');
  const before = openCount();
  const [ours, theirs] = native.socketPair('seqpacket');
  native.sendMessage(ours, Buffer.from('hello'), [file, file]);
  const { data, descriptors } = native.receiveMessage(theirs, 64, 1000);
  assert.equal(data.toString(), 'hello');
  assert.equal(descriptors.length, 2);
  for (const descriptor of descriptors) {
    assert.equal(fstatSync(descriptor).ino, fstatSync(file).ino);
    native.closeDescriptor(descriptor);
  }
  native.closeDescriptor(ours);
  native.closeDescriptor(theirs);
  assert.equal(openCount(), before);
  closeSync(file);
  rmSync(folder, { recursive: true });
});

test('seqpacket keeps messages apart, stream does not', () => {
  for (const [type, expected] of [
    ['seqpacket', 'one'],
    ['stream', 'onetwo'],
  ] as const) {
    const [ours, theirs] = native.socketPair(type);
    native.sendMessage(ours, Buffer.from('one'), []);
    native.sendMessage(ours, Buffer.from('two'), []);
    assert.equal(native.receiveMessage(theirs, 64, 1000).data.toString(), expected);
    native.closeDescriptor(ours);
    native.closeDescriptor(theirs);
  }
});

test('receiveMessage tells silence from the end', () => {
  const [ours, theirs] = native.socketPair('seqpacket');
  assert.throws(() => native.receiveMessage(theirs, 64, 5), { code: 'ETIMEDOUT' });
  native.closeDescriptor(ours);
  const { data, descriptors } = native.receiveMessage(theirs, 64, 1000);
  assert.equal(data.length, 0);
  assert.deepEqual(descriptors, []);
  assert.throws(() => native.sendMessage(theirs, Buffer.from('x'), []), { code: 'EPIPE' });
  native.closeDescriptor(theirs);
  assert.throws(() => native.receiveMessage(theirs, 64, 1000), { code: 'EBADF' });
});

test('a message that does not fit is refused, and its descriptors do not leak', () => {
  const [ours, theirs] = native.socketPair('seqpacket');
  const before = openCount();
  native.sendMessage(ours, Buffer.alloc(65), [ours]);
  assert.throws(() => native.receiveMessage(theirs, 64, 1000), { code: 'EMSGSIZE' });
  assert.equal(openCount(), before);
  native.closeDescriptor(ours);
  native.closeDescriptor(theirs);
});

test('received descriptors and sockets are closed on exec', () => {
  const [ours, theirs] = native.socketPair('seqpacket');
  native.sendMessage(ours, Buffer.from('x'), [ours]);
  const [received] = native.receiveMessage(theirs, 64, 1000).descriptors;
  for (const descriptor of [ours, theirs, received as number]) {
    const information = openSync(`/proc/self/fdinfo/${descriptor}`, 'r');
    const text = Buffer.alloc(4096);
    const length = readSync(information, text);
    closeSync(information);
    const flags = Number.parseInt(/flags:\s+(\d+)/.exec(text.toString('utf8', 0, length))?.[1] ?? '', 8);
    assert.equal(flags & 0o2000000, 0o2000000, 'O_CLOEXEC');
    native.closeDescriptor(descriptor);
  }
});

test('connectSeqpacket says why it cannot connect', () => {
  assert.throws(() => native.connectSeqpacket('/no/such/socket'), { code: 'ENOENT', syscall: 'connect' });
  assert.throws(() => native.connectSeqpacket(`/${'x'.repeat(108)}`), { code: 'ENAMETOOLONG' });
});
