/** A tree with one of everything that a file system can hold, and an archive can lose. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { isRoot, native } from './archives.ts';

export interface RichTreeOptions {
  /** What only formats since PAX keep: ids and names beyond the fields of the header, nanoseconds, attributes. */
  readonly beyondHeaders: boolean;
  readonly sparse: boolean;
}

export function makeRichTree(root: string, options: RichTreeOptions): void {
  mkdirSync(root, { recursive: true });
  mkdirSync(join(root, 'directory/inner'), { recursive: true });
  mkdirSync(join(root, 'empty'));
  writeFileSync(join(root, 'empty-file'), '');
  writeFileSync(join(root, 'directory/small'), 'small content\n');
  writeFileSync(join(root, 'directory/block'), randomBytes(512));
  writeFileSync(join(root, 'directory/inner/large'), randomBytes(1_000_003));
  writeFileSync(join(root, 'modes'), 'x');
  symlinkSync('../nowhere', join(root, 'directory/dangling'));
  symlinkSync('/absolute/target', join(root, 'absolute'));
  linkSync(join(root, 'directory/small'), join(root, 'hard-link'));
  linkSync(join(root, 'directory/small'), join(root, 'directory/inner/hard-link'));
  withDirectory(root, (directory) => {
    native.makeNode(directory, 'fifo', constants.S_IFIFO | 0o640, 0, 0);
    if (isRoot) {
      native.makeNode(directory, 'character', constants.S_IFCHR | 0o600, 1, 3);
      native.makeNode(directory, 'block', constants.S_IFBLK | 0o600, 259, 70_000);
      native.makeSymlink('directory', directory, 'owned-link');
      native.setOwner(directory, 'owned-link', 12, 34);
    }
  });
  if (isRoot) {
    chownSync(join(root, 'directory/block'), 1000, 1001);
    chownSync(join(root, 'empty'), 65_534, 65_534);
    chownSync(join(root, 'modes'), 7, 8);
  }
  chmodSync(join(root, 'modes'), 0o6711);
  chmodSync(join(root, 'empty-file'), 0);
  chmodSync(join(root, 'empty'), 0o1777);
  if (options.sparse) makeSparse(root);
  if (options.beyondHeaders) makeBeyondHeaders(root);
  setTimes(root, options.beyondHeaders);
}

function makeSparse(root: string): void {
  const file = openSync(join(root, 'sparse'), 'w');
  ftruncateSync(file, 40_000_000);
  for (let index = 0; index < 30; index += 1) writeSync(file, randomBytes(5000), 0, 5000, index * 1_300_000);
  closeSync(file);
  const hole = openSync(join(root, 'hole'), 'w');
  ftruncateSync(hole, 9_000_000_000);
  closeSync(hole);
  const end = openSync(join(root, 'data-at-the-end'), 'w');
  writeSync(end, 'end', 10_000_000);
  closeSync(end);
}

function makeBeyondHeaders(root: string): void {
  writeFileSync(join(root, `${'long-name-'.repeat(20)}.txt`), 'long name');
  const deep = join(root, ...Array.from({ length: 12 }, (_, index) => `level-${index}-${'d'.repeat(20)}`));
  mkdirSync(deep, { recursive: true });
  writeFileSync(join(deep, 'file'), 'deep');
  symlinkSync('x'.repeat(300), join(root, 'long-link'));
  linkSync(join(deep, 'file'), join(root, 'link-to-deep'));
  writeFileSync(join(root, 'naïve – 名前'), 'UTF-8');
  writeFileSync(join(root, 'new\nline and = % signs'), 'odd');
  withDirectory(root, (directory) => {
    closeSync(native.openNode(directory, 'caf\xe9', constants.O_CREAT | constants.O_WRONLY, 0o644, false));
    native.makeSymlink('\xff\xfe/\x01', directory, 'link-\xfc');
  });
  const file = join(root, 'attributes');
  writeFileSync(file, 'attributed');
  const descriptor = openSync(file, 'r');
  native.setXattr(descriptor, 'user.binary', Buffer.from([0, 1, 10, 61, 255, 254, 0]));
  native.setXattr(descriptor, 'user.empty', Buffer.alloc(0));
  native.setXattr(descriptor, 'user.a=b%c', Buffer.from('equals'));
  native.setXattr(descriptor, 'user.long', randomBytes(2000));
  if (isRoot) native.setXattr(descriptor, 'trusted.kept', Buffer.from('trusted'));
  closeSync(descriptor);
  execFileSync('setfacl', ['-m', 'u:1234:rwx,g:4321:r-x', file]);
  execFileSync('setfacl', ['-m', 'd:u:1234:rwx,d:g::r-x', join(root, 'directory/inner')]);
  if (!isRoot) return;
  chownSync(file, 3_000_000_000, 2_500_000_000);
  withDirectory(root, (directory) => {
    const link = native.openNode(directory, 'owned-link', 0o10000000 | constants.O_NOFOLLOW, 0, false);
    native.setXattr(link, 'trusted.of-link', Buffer.from([9, 0, 9]));
    closeSync(link);
  });
}

/** Different for each node; before 1970 and after 2106 too, where a format can say it. */
function setTimes(root: string, isExact: boolean): void {
  let count = 0;
  const visit = (directory: number): void => {
    for (const name of native.listNodes(directory).names.sort()) {
      const mode = native.statNode(directory, name)[0] ?? 0;
      if ((mode & constants.S_IFMT) === constants.S_IFDIR) {
        const inner = native.openNode(directory, name, constants.O_RDONLY, 0, false);
        visit(inner);
        closeSync(inner);
      }
      count += 1;
      const seconds = !isExact
        ? 1_500_000_000 + count
        : count % 7 === 3
          ? -count * 1000
          : 900_000_000 + count * 300_000_000;
      native.setTimes(
        directory,
        name,
        seconds,
        0,
        Math.min(seconds, 5_000_000_000),
        isExact ? (count * 123_456_789) % 1_000_000_000 : 0,
      );
    }
  };
  withDirectory(root, (directory) => {
    visit(directory);
    native.setTimes(directory, '', 1_000_000_000, 0, 1_000_000_000, isExact ? 1 : 0);
  });
}

function withDirectory(path: string, use: (directory: number) => void): void {
  const directory = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    use(directory);
  } finally {
    closeSync(directory);
  }
}
