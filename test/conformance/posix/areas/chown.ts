/** chown, lchown, fchown: who may give what to whom, and which bits of the mode fall off. */
import { type Area, script } from '../area.ts';

const TYPES: readonly (readonly [name: string, make: string])[] = [
  ['a file', 'create x 0644'],
  ['a directory', 'mkdir x 0755'],
  ['a fifo', 'mkfifo x 0644'],
  ['a socket', 'mknod x S_IFSOCK 0644'],
];

export const chown: Area = {
  area: 'chown',
  scripts: [
    ...TYPES.map(([name, make]) =>
      script(
        `owner and group of ${name}`,
        `
        ${make}
        symlink x link
        chown x 123 456
        stat x -> uid=123 gid=456
        chown link 61001 61002
        stat x -> uid=61001 gid=61002
        lstat link -> uid=0 gid=0
        lchown link 7 8
        lstat link -> uid=7 gid=8
        stat x -> uid=61001 gid=61002
        chown x -1 5
        stat x -> uid=61001 gid=5
        chown x 6 -1
        stat x -> uid=6 gid=5
        times x
        chown x 1 1
        times x -> c
        `,
      ),
    ),
    script(
      'the greatest ids',
      `
      create x 0644
      chown x 4294967294 4294967294
      stat x -> uid=4294967294 gid=4294967294
      chown x 0x80000000 0x7fffffff
      stat x -> uid=2147483648 gid=2147483647
      `,
      'host-root',
    ),
    script(
      'an owner may give the file to a group of his, to nobody else and no other group',
      `
      carol: create f 0644
      carol: chown f -1 61001
      stat f -> uid=61003 gid=61001
      carol: chown f 61003 61003
      stat f -> gid=61003
      carol: chown f -1 61002 -> EPERM
      carol: chown f 61001 -1 -> EPERM
      carol: chown f 0 -1 -> EPERM
      bob: chown f 61002 61002 -> EPERM
      bob: chown f -1 61002 -> EPERM
      bob: chown f -1 -1 -> EPERM|0
      carol: chown f -1 -1
      stat f -> uid=61003 gid=61003
      carol: symlink x l
      carol: lchown l -1 61001
      lstat l -> gid=61001
      bob: lchown l -1 61002 -> EPERM
      `,
    ),
    script(
      'setuid and setgid fall off when the owner changes anything, of programs',
      `
      alice: create f 0755
      alice: chmod f 06755
      alice: chown f -1 61001
      stat f -> mode=0755
      chmod f 06755
      chown f 61002 61002
      stat f -> mode=0755
      chmod f 06755
      chown f -1 -1
      stat f -> mode=0755
      `,
    ),
    script(
      'setgid without group execution stays when root or a member of the group gives it away',
      `
      create f 0644
      chmod f 02644
      chown f 61001 61001
      stat f -> mode=02644
      chmod f 06644
      alice: chown f -1 61001
      stat f -> mode=02644
      `,
      'loose-setgid',
    ),
    script(
      'directories keep both bits',
      `
      mkdir d 0755
      chmod d 06755
      chown d 61001 61001
      stat d -> mode=06755
      alice: chown d -1 61001
      stat d -> mode=06755
      `,
    ),
    script(
      'by descriptor',
      `
      create f 04755
      f = open f O_RDONLY
      chown @$f 61001 61002
      stat f -> uid=61001 gid=61002 mode=0755
      unlink f
      chown @$f 5 5
      stat @$f -> uid=5 gid=5 nlink=0
      create g 0644
      p = open g O_PATH
      `,
    ),
    script(
      'a new owner has the owner’s rights at once',
      `
      create f 0600 text
      alice: content f -> EACCES
      chown f 61001 61001
      alice: content f -> text
      chown f 61002 61002
      alice: content f -> EACCES
      bob: content f -> text
      `,
    ),
  ],
};
