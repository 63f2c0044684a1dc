/** unlink, and files that live without a name. */
import { type Area, script } from '../area.ts';

const TYPES: readonly (readonly [name: string, make: string])[] = [
  ['a file', 'create x 0644 text'],
  ['a fifo', 'mkfifo x 0644'],
  ['a socket', 'mknod x S_IFSOCK 0644'],
  ['a symbolic link', 'symlink nowhere x'],
];

export const unlink: Area = {
  area: 'unlink',
  scripts: [
    ...TYPES.map(([name, make]) =>
      script(
        `takes the name of ${name} away`,
        `
        ${make}
        link x y
        times y
        times .
        unlink x
        times y -> c
        times . -> mc
        lstat x -> ENOENT
        lstat y -> nlink=1
        unlink y
        unlink y -> ENOENT
        list . -> none
        `,
      ),
    ),
    script(
      'an open file lives on, whole',
      `
      create f 0640 text
      f = open f O_RDWR
      &2 g = open f O_RDONLY
      i = stat f .ino
      unlink f
      stat f -> ENOENT
      stat @$f -> nlink=0 ino=$i size=4 mode=0640
      read $f 10 -> text
      write $f more 4
      &2 read $g 10 0 -> textmore
      chmod @$f 0600
      chown @$f 61001 61002
      &2 stat @$g -> mode=0600 uid=61001 gid=61002 size=8
      truncate @$f 2
      utimens @$f 5 6
      &2 stat @$g -> size=2 atime=5.000000000 mtime=6.000000000
      setxattr @$f user.a b
      &2 getxattr @$g user.a -> b
      fsync $f
      list . -> none
      create f 0644 other
      read $f 10 0 -> te
      content f -> other
      stat f -> !ino=$i
      `,
    ),
    script(
      'a file that is mapped lives on',
      `
      create f 0644 x*5000
      f = open f O_RDWR
      m = mmap $f 8192 PROT_READ|PROT_WRITE MAP_SHARED
      close $f
      unlink f
      peek $m 0 4 -> xxxx
      poke $m 4990 yy
      peek $m 4988 6 -> xxyyxx
      msync $m
      munmap $m
      `,
    ),
    script(
      'the last name of many, while it is open',
      `
      create a 0644 text
      link a b
      f = open a O_RDWR
      unlink a
      stat @$f -> nlink=1
      content b -> text
      rename b c
      unlink c
      stat @$f -> nlink=0
      read $f 10 -> text
      `,
    ),
    script(
      'a directory whose file is unlinked and open can be removed',
      `
      mkdir d
      create d/f 0644 text
      f = open d/f O_RDWR
      unlink d/f
      list d -> none
      rmdir d
      read $f 10 -> text
      mkdir d
      create d/f 0644 new
      read $f 10 0 -> text
      `,
    ),
    script(
      'what cannot be unlinked, and by whom',
      `
      mkdir d 0755
      unlink d -> EISDIR
      alice: unlink d -> EISDIR|EPERM
      create d/f 0666
      alice: unlink d/f -> EACCES
      chmod d 0777
      create d/g 0
      alice: unlink d/g
      chmod d 0666
      alice: unlink d/f -> EACCES
      chmod d 0333
      alice: unlink d/f
      `,
    ),
    script(
      'in sticky directories only the owners of file and directory may',
      `
      mkdir s 01777
      alice: create s/a 0666
      bob: create s/b 0666
      bob: unlink s/a -> EPERM
      carol: unlink s/a -> EPERM
      alice: unlink s/b -> EPERM
      alice: unlink s/a
      unlink s/b
      chown s 61003 61003
      alice: create s/a 0666
      carol: unlink s/a
      alice: mkdir s/d 0777
      bob: rmdir s/d -> EPERM
      alice: rmdir s/d
      alice: symlink x s/l
      bob: unlink s/l -> EPERM
      `,
    ),
    script(
      'names made and taken away a hundred times',
      `
      ${Array.from({ length: 100 }, (_, index) => `create f 0644 n${index}\ncontent f -> n${index}\nunlink f`).join('\n')}
      stat f -> ENOENT
      `,
    ),
  ],
};
