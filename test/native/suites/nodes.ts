import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadNative } from '../../../src/native/load.ts';
import { NODE, nodeIdentity } from '../../../src/native/node-status.ts';

const native = loadNative();
// tmpfs has no extended attributes of users before Linux 6.6: the disk has.
const folder = mkdtempSync(join('/var/tmp', 'dunnage-nodes-'));
const root = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
after(() => {
  closeSync(root);
  rmSync(folder, { recursive: true, force: true });
});

const O_PATH = 0o10000000;
const isRoot = process.geteuid?.() === 0;
/** Not UTF-8. */
const ODD_NAME = 'caf\xe9\x01';

test('a directory is listed with the bytes of its names and all that lstat tells', () => {
  const inner = join(folder, 'list');
  mkdirSync(inner);
  writeFileSync(join(inner, 'file'), 'content');
  symlinkSync('nowhere', join(inner, 'link'));
  const directory = openSync(inner, constants.O_RDONLY);
  try {
    native.makeNode(directory, ODD_NAME, constants.S_IFIFO | 0o600, 0, 0);
    const { names, attributes } = native.listNodes(directory);
    assert.deepEqual([...names].sort(), [ODD_NAME, 'file', 'link'].sort());
    assert.deepEqual(readdirSync(inner, 'latin1').sort(), [...names].sort());
    const at = names.indexOf('file') * NODE.fields;
    const expected = lstatSync(join(inner, 'file'), { bigint: true });
    assert.equal(attributes[at + NODE.sizeBytes], 7);
    assert.equal(attributes[at + NODE.mode], Number(expected.mode));
    const { modifySeconds, modifyNanoseconds } = NODE;
    const seconds = BigInt(attributes[at + modifySeconds] ?? 0);
    assert.equal(seconds * 1_000_000_000n + BigInt(attributes[at + modifyNanoseconds] ?? 0), expected.mtimeNs);
    assert.ok(nodeIdentity(attributes, at).endsWith(`:${expected.ino}`));
    assert.deepEqual(native.statNode(directory, 'file'), attributes.slice(at, at + NODE.fields));
    assert.equal(native.readLinkText(directory, 'link'), 'nowhere');
  } finally {
    closeSync(directory);
  }
});

test('what is a mount point is known by its status', () => {
  const proc = openSync('/', constants.O_RDONLY);
  try {
    assert.equal(native.statNode(proc, 'proc')[NODE.isMountRoot], 1);
    assert.equal(native.statNode(root, '')[NODE.isMountRoot], 0);
    assert.notEqual(native.statNode(proc, 'proc')[NODE.mountId], native.statNode(proc, '')[NODE.mountId]);
    assert.throws(() => native.openNode(proc, 'proc', constants.O_RDONLY, 0, true), { code: 'EXDEV' });
    closeSync(native.openNode(proc, 'proc', constants.O_RDONLY, 0, false));
  } finally {
    closeSync(proc);
  }
});

test('openNode follows no link and leads to nothing above', () => {
  mkdirSync(join(folder, 'real'));
  symlinkSync('real', join(folder, 'alias'));
  assert.throws(() => native.openNode(root, 'alias', constants.O_RDONLY, 0, false), { code: 'ELOOP' });
  assert.throws(() => native.openNode(root, 'alias/x', constants.O_RDONLY, 0, false), { code: 'ELOOP' });
  assert.throws(() => native.openNode(root, '..', constants.O_RDONLY, 0, false), { code: 'EXDEV' });
  assert.throws(() => native.openNode(root, '/etc', constants.O_RDONLY, 0, false), { code: 'EXDEV' });
  assert.throws(() => native.openNode(root, 'a\0b', constants.O_RDONLY, 0, false), TypeError);
});

test('a small file is read whole in one call, and neither a long one nor a fifo is', () => {
  writeFileSync(join(folder, 'small'), 'twelve bytes');
  native.makeNode(root, 'fifo', constants.S_IFIFO | 0o600, 0, 0);
  const into = Buffer.alloc(16);
  const status = new Float64Array(NODE.fields + 1);
  assert.equal(native.readSmallFile(root, 'small', into, status), 12);
  assert.equal(into.toString('utf8', 0, 12), 'twelve bytes');
  assert.equal(status[NODE.sizeBytes], 12);
  assert.equal(status[NODE.fields], 0);
  assert.equal(native.readSmallFile(root, 'small', into.subarray(0, 11), status), -1);
  assert.equal(native.readSmallFile(root, 'fifo', into, status), -1);
  assert.throws(() => native.readSmallFile(root, 'none', into, status), { code: 'ENOENT', syscall: 'openat2' });
  assert.throws(() => native.readSmallFile(root, 'small', into, new Float64Array(3)), TypeError);
});

test('nodes are linked, exchanged, moved without replacing, and removed', () => {
  writeFileSync(join(folder, 'one'), '1');
  writeFileSync(join(folder, 'two'), '22');
  native.makeLink(root, 'one', root, 'uno');
  assert.equal(native.statNode(root, 'uno')[NODE.linkCount], 2);
  native.renameNode(root, 'one', root, 'two', 'exchange');
  assert.equal(native.statNode(root, 'one')[NODE.sizeBytes], 2);
  assert.throws(() => native.renameNode(root, 'one', root, 'two', 'keep'), { code: 'EEXIST' });
  native.renameNode(root, 'one', root, 'two', 'replace');
  assert.throws(() => native.statNode(root, 'one'), { code: 'ENOENT' });
  native.removeNode(root, 'two', false);
  native.makeSymlink('\xff/..', root, 'odd-link');
  assert.equal(native.readLinkText(root, 'odd-link'), '\xff/..');
  assert.throws(() => native.removeNode(root, 'real', false), { code: 'EISDIR' });
  native.syncFileSystem(root);
});

test('times are kept to the nanosecond, also of links and before 1970', () => {
  symlinkSync('x', join(folder, 'timed-link'));
  native.setTimes(root, 'timed-link', 1, 2, -5, 999_999_999);
  const { mtimeNs, atimeNs } = lstatSync(join(folder, 'timed-link'), { bigint: true });
  assert.equal(mtimeNs, -4_000_000_001n);
  assert.equal(atimeNs, 1_000_000_002n);
  writeFileSync(join(folder, 'timed'), '');
  const descriptor = openSync(join(folder, 'timed'), constants.O_WRONLY);
  native.setTimes(descriptor, '', 3, 4, 5, 6);
  assert.equal(fstatSync(descriptor, { bigint: true }).mtimeNs, 5_000_000_006n);
  closeSync(descriptor);
});

test('owners of any number are set, also of a link itself', { skip: isRoot ? false : 'needs root' }, () => {
  symlinkSync('x', join(folder, 'owned'));
  native.setOwner(root, 'owned', 3_000_000_000, 7);
  assert.equal(native.statNode(root, 'owned')[NODE.userId], 3_000_000_000);
  const link = native.openNode(root, 'owned', O_PATH | constants.O_NOFOLLOW, 0, false);
  native.setOwner(link, '', 8, 9);
  closeSync(link);
  assert.equal(native.statNode(root, 'owned')[NODE.groupId], 9);
});

test('extended attributes are bytes, of files and of what can only be opened by path', () => {
  writeFileSync(join(folder, 'attributed'), '');
  const file = openSync(join(folder, 'attributed'), constants.O_RDONLY);
  const value = Buffer.from([0, 255, 10, 61, 0]);
  native.setXattr(file, 'user.binary', value);
  native.setXattr(file, 'user.empty', Buffer.alloc(0));
  assert.deepEqual(native.listXattrs(file).sort(), ['user.binary', 'user.empty']);
  assert.deepEqual(native.getXattr(file, 'user.binary'), value);
  assert.equal(native.getXattr(file, 'user.empty').length, 0);
  native.removeXattr(file, 'user.empty');
  assert.throws(() => native.getXattr(file, 'user.empty'), { code: 'ENODATA' });
  closeSync(file);
  const path = native.openNode(root, 'attributed', O_PATH | constants.O_NOFOLLOW, 0, false);
  assert.deepEqual(native.listXattrs(path), ['user.binary']);
  closeSync(path);
  if (!isRoot) return;
  symlinkSync('nowhere', join(folder, 'attributed-link'));
  const link = native.openNode(root, 'attributed-link', O_PATH | constants.O_NOFOLLOW, 0, false);
  native.setXattr(link, 'trusted.of-link', value);
  assert.deepEqual(native.getXattr(link, 'trusted.of-link'), value);
  closeSync(link);
});

test('data and holes of a sparse file are found', () => {
  const path = join(folder, 'sparse');
  const file = openSync(path, 'w+');
  ftruncateSync(file, 1_048_576 * 3);
  writeSync(file, 'x', 1_048_576);
  const start = native.seekData(file, 0);
  assert.ok(start > 0 && start <= 1_048_576);
  const end = native.seekHole(file, start);
  assert.ok(end > 1_048_576 && end < 1_048_576 * 3);
  assert.equal(native.seekData(file, end), -1);
  assert.equal(native.seekHole(file, 1_048_576 * 3), -1);
  closeSync(file);
  assert.ok(Number(execFileSync('stat', ['-c', '%b', path]).toString()) * 512 < 1_048_576);
});
