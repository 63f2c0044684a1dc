import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadNative } from '../../../src/native/load.ts';

const native = loadNative();
const folder = mkdtempSync(join(tmpdir(), 'dunnage-descriptors-'));
after(() => rmSync(folder, { recursive: true, force: true }));

mkdirSync(join(folder, 'inside/deep'), { recursive: true });
writeFileSync(join(folder, 'outside'), 'outside');
writeFileSync(join(folder, 'inside/deep/file'), 'content');
symlinkSync('deep/file', join(folder, 'inside/link'));
symlinkSync('../outside', join(folder, 'inside/escape'));
symlinkSync(join(folder, 'outside'), join(folder, 'inside/absolute'));

function beneath(path: string, followLinks: boolean, flags: number = constants.O_RDONLY, mode = 0): number {
  const directory = openSync(join(folder, 'inside'), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return native.openBeneath(directory, path, flags, mode, followLinks);
  } finally {
    closeSync(directory);
  }
}

test('openBeneath opens what lies beneath, and follows links only where asked to', () => {
  for (const [path, follow] of [
    ['deep/file', false],
    ['link', true],
  ] as const) {
    const file = beneath(path, follow);
    const content = Buffer.alloc(7);
    assert.equal(readSync(file, content), 7);
    assert.equal(content.toString(), 'content');
    native.closeDescriptor(file);
  }
  assert.throws(() => beneath('link', false), { code: 'ELOOP' });
});

test('openBeneath never leaves the directory', () => {
  for (const path of ['../outside', 'deep/../../outside', 'escape', 'absolute', '/etc/passwd']) {
    assert.throws(() => beneath(path, true), { code: 'EXDEV' }, path);
  }
});

test('openBeneath creates with the mode given and ignores the mode otherwise', () => {
  const file = beneath('new', false, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  assert.equal(fstatSync(file).mode & 0o777, 0o600);
  native.closeDescriptor(file);
  native.closeDescriptor(beneath('new', false, constants.O_RDONLY, 0o644));
});

test('closeDescriptor refuses a number that is not open', () => {
  const file = openSync('/dev/null', 'r');
  native.closeDescriptor(file);
  assert.throws(() => native.closeDescriptor(file), { code: 'EBADF', syscall: 'close' });
});

test('tryLock keeps out every other open file until the lock is let go', () => {
  const path = join(folder, 'lock');
  const first = openSync(path, 'w');
  const second = openSync(path, 'w');
  assert.equal(native.tryLock(first), true);
  assert.equal(native.tryLock(second), false);
  closeSync(first);
  assert.equal(native.tryLock(second), true);
  closeSync(second);
});

test('setNonBlocking makes an empty pipe answer EAGAIN', () => {
  const [ours, theirs] = native.socketPair('stream');
  native.setNonBlocking(ours);
  assert.throws(() => readSync(ours, Buffer.alloc(1)), { code: 'EAGAIN' });
  native.closeDescriptor(ours);
  native.closeDescriptor(theirs);
});

test('hasWriter tells whether somebody has a file open for writing', () => {
  const path = join(folder, 'written');
  writeFileSync(path, '');
  const reader = openSync(path, 'r');
  const writer = openSync(path, 'a');
  assert.equal(native.hasWriter(reader), true);
  closeSync(writer);
  assert.equal(native.hasWriter(reader), false);
  closeSync(reader);
});

test('hasWriter does not end the process that asks while others open the file', async () => {
  const path = join(folder, 'busy');
  writeFileSync(path, '');
  const reader = openSync(path, 'r');
  const opener = spawn('sh', ['-c', 'i=0; while [ $i -lt 3000 ]; do : >>"$0"; i=$((i + 1)); done', path]);
  const ended = once(opener, 'exit');
  let asked = 0;
  while (opener.exitCode === null) {
    for (let i = 0; i < 500; i += 1) native.hasWriter(reader);
    asked += 500;
    await new Promise(setImmediate);
  }
  assert.deepEqual(await ended, [0, null]);
  assert.ok(asked > 0);
  closeSync(reader);
});

test('forbidCoreDumps leaves a process that cannot be dumped', () => {
  const url = new URL('../../../src/native/load.js', import.meta.url).href;
  const program = `
    import { readFileSync } from 'node:fs';
    const { loadNative } = await import(${JSON.stringify(url)});
    loadNative().forbidCoreDumps();
    console.log(readFileSync('/proc/self/limits', 'utf8').match(/^Max core file size\\s+(\\d+)\\s+(\\d+)/m).slice(1).join());
  `;
  assert.equal(
    execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }).trim(),
    '0,0',
  );
});
