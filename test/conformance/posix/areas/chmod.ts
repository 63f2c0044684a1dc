/** chmod, fchmod: who may, which bits stay. */
import { type Area, script } from '../area.ts';

const TYPES: readonly (readonly [name: string, make: string])[] = [
  ['a file', 'create x 0644'],
  ['a directory', 'mkdir x 0755'],
  ['a fifo', 'mkfifo x 0644'],
  ['a socket', 'mknod x S_IFSOCK 0644'],
];

export const chmod: Area = {
  area: 'chmod',
  scripts: [
    ...TYPES.map(([name, make]) =>
      script(
        `all 12 bits of ${name}, by path and by symbolic link`,
        `
        ${make}
        symlink x link
        chmod x 0111
        stat x -> mode=0111
        chmod link 0642
        stat x -> mode=0642
        lstat link -> mode=0777 type=l
        chmod x 07777
        stat x -> mode=07777
        chmod x 01000
        stat x -> mode=01000
        chmod x 0
        stat x -> mode=00
        times x
        chmod x 0600
        times x -> c
        `,
      ),
    ),
    script(
      'by descriptor, also one that was opened for reading, and not by one of O_PATH',
      `
      create f 0644
      f = open f O_RDONLY
      chmod @$f 0600
      stat f -> mode=0600
      unlink f
      chmod @$f 0444
      stat @$f -> mode=0444 nlink=0
      create g 0644
      p = open g O_PATH
      chmod @$p 0600 -> EBADF
      chmod @99 0600 -> EBADF
      `,
    ),
    script(
      'only the owner and root may',
      `
      alice: create f 0644
      bob: chmod f 0600 -> EPERM
      carol: chmod f 0660 -> EPERM
      alice: chmod f 0400
      alice: chmod f 0600
      chmod f 0640
      stat f -> mode=0640 uid=61001
      alice: mkdir d 0755
      bob: chmod d 0777 -> EPERM
      alice: chmod d 0700
      bob: chmod d/x 0600 -> EACCES
      `,
    ),
    script(
      'setgid falls off when the owner is not in the group of the file',
      `
      alice: create f 0755
      chown f 61001 61002
      alice: chmod f 02755
      stat f -> mode=0755
      chmod f 02755
      stat f -> mode=02755
      chown f 61003 61001
      carol: chmod f 02755
      stat f -> mode=02755
      chown f 61003 61002
      carol: chmod f 02711
      stat f -> mode=0711
      mkdir d 0755
      chown d 61001 61002
      alice: chmod d 02755
      stat d -> mode=0755
      `,
    ),
    script(
      'setuid and sticky are the owner’s to set',
      `
      alice: create f 0755
      alice: chmod f 04755
      stat f -> mode=04755
      alice: chmod f 01644
      stat f -> mode=01644
      alice: chmod f 06711
      stat f -> mode=06711
      `,
    ),
    script(
      'the mode of a symbolic link cannot be changed',
      `
      symlink x link
      lchmod link 0600 -> EOPNOTSUPP
      lstat link -> mode=0777
      `,
      'fchmodat2',
    ),
    script(
      'a failed chmod leaves ctime alone',
      `
      alice: create f 0644
      times f
      bob: chmod f 0600 -> EPERM
      times f -> none
      alice: chmod f 0644
      times f -> c
      `,
    ),
    script(
      'writing as somebody else clears setuid and setgid',
      `
      alice: create f 0777 text
      alice: chmod f 06777
      bob: f = open f O_WRONLY
      bob: write $f x
      stat f -> mode=0777
      chmod f 06777
      alice: h = open f O_WRONLY
      alice: write $h x
      stat f -> mode=0777
      `,
    ),
    script(
      'root writes without clearing them',
      `
      alice: create f 0777 text
      chmod f 06777
      f = open f O_WRONLY
      write $f x
      truncate f 2
      stat f -> mode=06777
      chmod f 02767
      write $f x
      stat f -> mode=02767
      `,
      'host-root',
    ),
    script(
      'truncation by somebody else clears setuid and setgid',
      `
      alice: create f 0777 text
      chmod f 06777
      bob: truncate f 2
      stat f -> mode=0777 size=2
      chmod f 06777
      bob: f = open f O_WRONLY|O_TRUNC
      stat f -> mode=0777 size=0
      chmod f 06777
      bob: truncate @$f 9
      stat f -> mode=0777 size=9
      chmod f 06777
      bob: fallocate $f 0 0 100
      stat f -> mode=0777 size=100
      `,
    ),
  ],
};
