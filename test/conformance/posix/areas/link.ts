/** Hard links. */
import { type Area, script } from '../area.ts';

const TYPES: readonly (readonly [name: string, make: string])[] = [
  ['a file', 'create x 0644 text'],
  ['a fifo', 'mkfifo x 0644'],
  ['a socket', 'mknod x S_IFSOCK 0644'],
  ['a symbolic link', 'symlink nowhere x'],
];

export const link: Area = {
  area: 'link',
  scripts: [
    ...TYPES.map(([name, make]) =>
      script(
        `names of ${name} are all the same`,
        `
        ${make}
        i = lstat x .ino
        times x
        times .
        link x y
        times x -> c
        times . -> mc
        lstat y -> ino=$i nlink=2
        lstat x -> nlink=2
        mkdir d
        link y d/z
        lstat x -> nlink=3
        lchown y 5 6
        lstat d/z -> uid=5 gid=6
        unlink x
        lstat d/z -> nlink=2 ino=$i
        unlink y
        times d/z
        lstat d/z -> nlink=1 ino=$i
        agree d -> yes
        unlink d/z
        lstat d/z -> ENOENT
        `,
      ),
    ),
    script(
      'one content and one mode',
      `
      create a 0644 one
      link a b
      f = open b O_WRONLY|O_APPEND
      write $f two
      content a -> onetwo
      stat a -> size=6
      chmod b 0600
      stat a -> mode=0600
      truncate b 1
      stat a -> size=1
      setxattr a user.k v
      getxattr b user.k -> v
      `,
    ),
    script(
      'what cannot be linked',
      `
      create f 0644
      mkdir d
      link d e -> EPERM
      alice: link d e -> EPERM
      link f d -> EEXIST
      link f f -> EEXIST
      link f . -> EEXIST
      symlink nowhere l
      link f l -> EEXIST
      link missing x -> ENOENT
      link f missing/x -> ENOENT
      link f f/x -> ENOTDIR
      stat f -> nlink=1
      `,
    ),
    script(
      'needs the right to write to the directory and to search the way',
      `
      mkdir d 0755
      alice: create f 0644
      alice: link f d/f -> EACCES
      chmod d 0777
      alice: link f d/f
      stat f -> nlink=2
      mkdir e 0700
      alice: link f e/f -> EACCES
      create e/g 0644
      alice: link e/g h -> EACCES
      `,
    ),
    script(
      'follows a symbolic link only if asked to',
      `
      create f 0644
      symlink f l
      link l m
      lstat m -> type=l nlink=2
      link l n AT_SYMLINK_FOLLOW
      lstat n -> type=f nlink=2
      `,
    ),
    script(
      'two links of a file are not renamed onto each other',
      `
      create a 0644
      link a b
      rename a b
      list . -> a:f b:f
      stat a -> nlink=2
      `,
    ),
    script(
      'three hundred links',
      `
      create f 0644
      ${Array.from({ length: 300 }, (_, index) => `link f l${index}`).join('\n')}
      stat f -> nlink=301
      clear . l 0 300
      stat f -> nlink=1
      `,
    ),
  ],
};
