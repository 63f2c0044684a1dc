import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { copyTree } from '../../../src/alloc/tree-work/copy-tree.ts';
import { loadNative } from '../../../src/native/load.ts';
import { needsRoot } from '../helpers/scene.ts';

// tmpfs has no extended attributes of users before Linux 6.6: the disk has.
const PARENT = '/var/tmp';
const noStep = (): void => undefined;

interface Scene {
  readonly from: string;
  readonly to: string;
}

function scene(context: TestContext): Scene {
  const folder = mkdtempSync(join(PARENT, 'dunnage-copy-tree-'));
  // Not by node:fs, which needs the whole path of what it removes.
  context.after(() => execFileSync('rm', ['-rf', folder]));
  for (const name of ['from', 'to']) mkdirSync(join(folder, name));
  return { from: join(folder, 'from'), to: join(folder, 'to') };
}

function copy({ from, to }: Scene, onStep: (doneBytes: number) => void = noStep): void {
  const [source, target] = [openSync(from, 'r'), openSync(to, 'r')];
  try {
    copyTree(source, target, { onStep });
  } finally {
    closeSync(source);
    closeSync(target);
  }
}

/** Everything that GNU tar keeps, in one text. */
function picture(path: string): string {
  const listed = execFileSync('find', ['.', '-printf', '%p %y %m %U:%G %s %T@ %n %l\\n'], {
    cwd: path,
    encoding: 'utf8',
  });
  const xattrs = execFileSync('getfattr', ['-R', '-h', '-d', '-m', '-', '--absolute-names', '.'], {
    cwd: path,
    encoding: 'utf8',
  });
  return `${listed.split('\n').sort().join('\n')}\n${xattrs}`;
}

function fill(folder: string): void {
  const shell = [
    'mkdir -p dir/empty "sp ace"',
    'printf content > dir/file; chmod 04751 dir/file; chown 1234:4321 dir/file; touch -d "2001-02-03 04:05:06.123456789" dir/file',
    'ln dir/file "sp ace/hard"; ln dir/file second',
    'ln -s ../anywhere dir/link; chown -h 5:6 dir/link; touch -h -d "1999-01-01 00:00:00.5" dir/link',
    'mkfifo -m 640 fifo; mknod -m 600 zero c 1 5',
    'truncate -s 5M sparse; printf data | dd of=sparse bs=1 seek=3000000 conv=notrunc status=none',
    'setfattr -n user.colour -v 0x00ff10 dir/file; setfacl -m u:99:rw dir/file; setfacl -d -m g:98:r dir/empty',
    'printf "caf\\351" > "$(printf "caf\\351")"',
    'chmod 1777 "sp ace"; chown 7:8 dir; touch -d "2010-01-01" dir/empty dir',
  ];
  execFileSync('sh', ['-ec', shell.join('\n')], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
}

test('a copy is the same to the last attribute', needsRoot, (context) => {
  const both = scene(context);
  fill(both.from);
  copy(both);
  assert.equal(picture(both.to), picture(both.from));
  assert.deepEqual(readFileSync(join(both.to, 'sparse')), readFileSync(join(both.from, 'sparse')));
  assert.ok(lstatSync(join(both.to, 'sparse')).blocks < 200, 'holes stay holes');
  assert.equal(statSync(join(both.to, 'second')).ino, statSync(join(both.to, 'dir/file')).ino);
});

test('a copy that was interrupted goes on, writes what is missing, and ends the same', needsRoot, (context) => {
  const both = scene(context);
  fill(both.from);
  writeFileSync(join(both.from, 'large'), Buffer.alloc(20 * 1024 * 1024, 'large'));
  let steps = 0;
  for (let stopAfter = 1; ; stopAfter += 7) {
    steps = 0;
    try {
      copy(both, () => {
        steps += 1;
        if (steps === stopAfter) throw new Error('interrupted');
      });
      break;
    } catch (error) {
      assert.equal((error as Error).message, 'interrupted');
    }
  }
  assert.ok(steps > 20);
  assert.equal(picture(both.to), picture(both.from));
  assert.deepEqual(readFileSync(join(both.to, 'large')), readFileSync(join(both.from, 'large')));
});

test('what an earlier attempt has left wrong is mended', needsRoot, (context) => {
  const both = scene(context);
  fill(both.from);
  copy(both);
  const { to } = both;
  rmSync(join(to, 'dir/link'));
  mkdirSync(join(to, 'dir/link/x'), { recursive: true });
  rmSync(join(to, 'dir/empty'), { recursive: true });
  writeFileSync(join(to, 'dir/empty'), 'a file');
  writeFileSync(join(to, 'dir/not-in-the-source'), 'x');
  execFileSync('setfattr', ['-n', 'user.other', '-v', 'x', join(to, 'dir/file')]);
  rmSync(join(to, 'sp ace/hard'));
  writeFileSync(join(to, 'sp ace/hard'), 'no link');
  appendFileSync(join(to, 'sparse'), 'too long');
  const opened = openSync(join(to, 'caf\xe9'), constants.O_RDWR | constants.O_CREAT);
  closeSync(opened);
  copy(both);
  assert.equal(picture(to), picture(both.from));
  assert.deepEqual(readFileSync(join(to, 'sparse')), readFileSync(join(both.from, 'sparse')));
});

test('a byte that is wrong in a file of the right size and time is found', (context) => {
  const both = scene(context);
  const content = Buffer.alloc(3 * 1024 * 1024, 1);
  writeFileSync(join(both.from, 'file'), content);
  copy(both);
  const { atime, mtime } = statSync(join(both.from, 'file'));
  const damaged = Buffer.from(content);
  damaged[2_500_000] = 2;
  writeFileSync(join(both.to, 'file'), damaged);
  execFileSync('touch', ['-d', mtime.toISOString(), join(both.to, 'file')]);
  copy(both);
  assert.ok(atime);
  assert.ok(readFileSync(join(both.to, 'file')).equals(content));
});

test('a source that changes while it is copied is said, not copied half', (context) => {
  const both = scene(context);
  writeFileSync(join(both.from, 'file'), Buffer.alloc(3 * 1024 * 1024, 1));
  const change = (): void => appendFileSync(join(both.from, 'file'), 'x');
  assert.throws(() => copy(both, change), { code: 'BUSY', message: /file changed while it was copied/ });
});

test('a tree is copied that is deeper than the path of a file may be long, with its hard links and few descriptors', (context) => {
  const both = scene(context);
  const native = loadNative();
  const DEPTH = 1500;
  let directory = openSync(both.from, 'r');
  native.makeNode(directory, 'file', constants.S_IFREG | 0o640, 0, 0);
  const top = openSync(both.from, 'r');
  for (let depth = 0; depth < DEPTH; depth += 1) {
    native.makeNode(directory, 'deep', constants.S_IFDIR | 0o750, 0, 0);
    const inner = native.openNode(directory, 'deep', constants.O_RDONLY | constants.O_DIRECTORY, 0, true);
    closeSync(directory);
    directory = inner;
    if (depth % 500 === 499) native.makeNode(directory, `only-${depth}`, constants.S_IFREG | 0o600, 0, 0);
  }
  // What has a name at the bottom is met there first, or at the top.
  native.makeLink(directory, 'only-1499', top, 'z-below');
  native.makeLink(top, 'file', directory, 'a-above');
  closeSync(directory);
  closeSync(top);
  let openMost = 0;
  const count = (): void => {
    openMost = Math.max(openMost, readdirSync('/proc/self/fd').length);
  };
  copy(both, count);
  const archive = (path: string): Buffer =>
    execFileSync('tar', ['--format=gnu', '--sort=name', '-cf', '-', '.'], { cwd: path, maxBuffer: 2 ** 28 });
  assert.ok(archive(both.to).equals(archive(both.from)));
  assert.ok(openMost < 300, `${openMost} descriptors`);
  // Another attempt finds everything done.
  copy(both);
  assert.ok(archive(both.to).equals(archive(both.from)));
});

test('nothing behind a link or a mount is copied', needsRoot, (context) => {
  const both = scene(context);
  mkdirSync(join(both.from, 'mount'));
  loadNative().bindMount('/etc', join(both.from, 'mount'), false);
  try {
    assert.throws(() => copy(both), { code: 'EXDEV' });
    assert.deepEqual(readdirSync(both.to), []);
  } finally {
    loadNative().unmount(join(both.from, 'mount'), true);
  }
});
