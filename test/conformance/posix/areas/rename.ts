/** rename and renameat2. */
import { type Area, script } from '../area.ts';

const TYPES: readonly (readonly [name: string, make: (path: string) => string])[] = [
  ['a file', (path) => `create ${path} 0644 text`],
  ['a directory', (path) => `mkdir ${path} 0755`],
  ['a fifo', (path) => `mkfifo ${path} 0644`],
  ['a socket', (path) => `mknod ${path} S_IFSOCK 0644`],
  ['a symbolic link', (path) => `symlink nowhere ${path}`],
];

export const rename: Area = {
  area: 'rename',
  scripts: [
    ...TYPES.map(([name, make]) =>
      script(
        `moves ${name}, which stays the same`,
        `
        mkdir d
        mkdir e
        ${make('d/x')}
        i = lstat d/x .ino
        times d/x
        times d
        times e
        rename d/x e/y
        times d -> mc
        times e -> mc
        lstat d/x -> ENOENT
        lstat e/y -> ino=$i
        list d -> none
        rename e/y e/z
        times e -> mc
        lstat e/z -> ino=$i
        ${name === 'a directory' ? '' : 'lstat e/z -> nlink=1'}
        rename e/z e/z
        lstat e/z -> ino=$i
        agree e -> yes
        `,
      ),
    ),
    script(
      'changes ctime of what is moved',
      `
      create f 0644
      times f
      rename f g
      g = lstat g .ctime
      f = open g O_RDONLY
      tick
      rename g h
      lstat h -> !ctime=$g
      mkdir d
      d = lstat d .ctime
      tick
      rename d e
      lstat e -> !ctime=$d
      `,
    ),
    script(
      'replaces a file, which lives on while it is open',
      `
      create a 0644 new
      create b 0600 old
      f = open b O_RDWR
      times @$f
      rename a b
      content b -> new
      stat b -> mode=0644
      stat @$f -> nlink=0 mode=0600
      read $f 10 -> old
      write $f er 3
      read $f 10 0 -> older
      create c 0644
      link b hard
      rename c b
      stat hard -> nlink=1
      content hard -> new
      list . -> b:f hard:f
      `,
    ),
    script(
      'replaces other types, each by its like',
      `
      create f 0644
      mkfifo p
      symlink nowhere l
      mknod s S_IFSOCK
      rename f p
      stat p -> type=f
      rename l p
      lstat p -> type=l
      rename s p
      stat p -> type=s
      list . -> p:s
      `,
    ),
    script(
      'directories over directories, if they are empty',
      `
      mkdir a
      create a/f 0644
      mkdir b
      mkdir b/c
      i = stat a .ino
      rename a b -> ENOTEMPTY|EEXIST
      rmdir b/c
      rename a b
      stat b -> ino=$i
      list b -> f:f
      stat . -> nlink=3
      `,
    ),
    script(
      'kinds that do not go over each other',
      `
      create f 0644
      mkdir d
      symlink d l
      mkfifo p
      rename d f -> ENOTDIR
      rename d l -> ENOTDIR
      rename d p -> ENOTDIR
      rename f d -> EISDIR
      rename l d -> EISDIR
      rename p d -> EISDIR
      rename f missing/x -> ENOENT
      rename missing x -> ENOENT
      rename f d/x/y -> ENOENT
      rename f p/x -> ENOTDIR
      `,
    ),
    script(
      'a directory does not go into itself, and dots do not move',
      `
      mkdir a
      mkdir a/b
      mkdir a/b/c
      rename a a/x -> EINVAL
      rename a a/b/c/x -> EINVAL
      rename a/b a -> ENOTEMPTY
      rename a/b/c a/b -> ENOTEMPTY
      rename a/. x -> EBUSY|EINVAL
      rename a/.. x -> EBUSY|EINVAL
      rename a/b a/. -> EBUSY|EINVAL
      rename a a
      `,
    ),
    script(
      'the parent of a moved directory is the new one',
      `
      mkdir a
      mkdir b
      mkdir a/x
      i = stat b .ino
      rename a/x b/x
      stat b/x/.. -> ino=$i
      stat a -> nlink=2
      stat b -> nlink=3
      `,
    ),
    script(
      'needs the right to write to both directories',
      `
      mkdir a 0777
      mkdir b 0755
      alice: create a/f 0644
      alice: rename a/f b/f -> EACCES
      chmod a 0755
      chmod b 0777
      alice: rename a/f b/f -> EACCES
      chmod a 0777
      alice: rename a/f b/f
      mkdir a/d 0755
      # a directory changes its "..", so its own mode counts as well
      alice: rename a/d b/d -> EACCES
      alice: rename a/d a/e
      `,
    ),
    script(
      'in sticky directories only owners move and replace',
      `
      mkdir s 01777
      mkdir o 0777
      alice: create s/a 0666
      bob: create s/b 0666
      bob: create o/x 0666
      bob: rename s/a o/a -> EPERM
      bob: rename s/a s/c -> EPERM
      bob: rename o/x s/a -> EPERM
      bob: rename s/b s/a -> EPERM
      alice: rename s/a s/c
      bob: rename o/x s/d
      rename s/d s/c
      chown s 61002 61002
      alice: create s/e 0666
      bob: rename s/e o/e
      `,
    ),
    script(
      'in a sticky directory a directory of somebody else stays',
      `
      mkdir s 01777
      mkdir o 0777
      alice: mkdir s/d 0777
      bob: rename s/d s/e -> EPERM
      bob: rename s/d o/e -> EPERM
      alice: rename s/d o/d
      bob: mkdir o/x 0777
      alice: mkdir s/y 0777
      bob: rename o/x s/y -> EPERM
      alice: rename o/x s/y -> EACCES|0
      `,
    ),
    script(
      'RENAME_NOREPLACE',
      `
      create a 0644 a
      create b 0644 b
      rename a b RENAME_NOREPLACE -> EEXIST
      rename a a RENAME_NOREPLACE -> EEXIST
      content b -> b
      rename a c RENAME_NOREPLACE
      content c -> a
      mkdir d
      rename c d RENAME_NOREPLACE -> EEXIST
      rename missing x RENAME_NOREPLACE -> ENOENT
      rename a b RENAME_NOREPLACE|RENAME_EXCHANGE -> EINVAL
      rename a b 0x100 -> EINVAL
      `,
    ),
    script(
      'RENAME_EXCHANGE',
      `
      mkdir d
      create d/f 0644 inside
      create a 0600 outside
      i = stat a .ino
      j = stat d .ino
      rename a d RENAME_EXCHANGE
      stat a -> ino=$j type=d
      stat d -> ino=$i type=f
      content a/f -> inside
      content d -> outside
      mkdir e
      rename a e/x RENAME_EXCHANGE -> ENOENT
      mkdir e/x
      rename d e/x RENAME_EXCHANGE
      stat e -> nlink=2
      stat d -> type=d
      content e/x -> outside
      rename e e/x RENAME_EXCHANGE -> EINVAL
      rename e/x e RENAME_EXCHANGE -> ENOTEMPTY|EINVAL
      `,
    ),
    script(
      'RENAME_WHITEOUT',
      `
      create a 0644 text
      rename a b RENAME_WHITEOUT
      content b -> text
      stat a -> type=c rdev=0:0
      `,
      'whiteouts',
    ),
  ],
};
