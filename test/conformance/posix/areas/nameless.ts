/** O_TMPFILE, and descriptors that get names later. */
import { type Area, script } from '../area.ts';

export const nameless: Area = {
  area: 'O_TMPFILE',
  scripts: [
    script(
      'a file without a name, and the name it gets',
      `
      umask 022
      alice: f = open . O_TMPFILE|O_RDWR 0666
      list . -> none
      stat @$f -> type=f nlink=0 mode=0644 uid=61001 gid=61001 size=0
      alice: write $f text
      alice: link /proc/self/fd/$f named AT_SYMLINK_FOLLOW
      stat named -> nlink=1 size=4 mode=0644 uid=61001
      content named -> text
      alice: write $f more
      content named -> textmore
      list . -> named:f
      unlink named
      stat @$f -> nlink=0
      `,
    ),
    script(
      'with O_EXCL it never gets one',
      `
      f = open . O_TMPFILE|O_RDWR|O_EXCL 0600
      write $f text
      link /proc/self/fd/$f named AT_SYMLINK_FOLLOW -> ENOENT
      read $f 10 0 -> text
      `,
    ),
    script(
      'by AT_EMPTY_PATH, and over what exists',
      `
      f = open . O_TMPFILE|O_RDWR 0600
      create taken 0644
      link /proc/self/fd/$f taken AT_SYMLINK_FOLLOW -> EEXIST
      link @$f named AT_EMPTY_PATH
      stat named -> mode=0600 nlink=1
      `,
    ),
    script(
      'rights and kinds',
      `
      mkdir d 0755
      alice: open d O_TMPFILE|O_RDWR 0600 -> EACCES
      open d O_TMPFILE|O_RDONLY 0600 -> EINVAL
      create f 0644
      open f O_TMPFILE|O_RDWR 0600 -> ENOTDIR
      open missing O_TMPFILE|O_RDWR 0600 -> ENOENT
      mkdir g 0777
      chown g 0 61001
      chmod g 02777
      bob: h = open g O_TMPFILE|O_RDWR 0660
      stat @$h -> gid=61001 uid=61002
      setacl g default u::rwx,u:61003:r--,g::r-x,m::rwx,o::---
      bob: i = open g O_TMPFILE|O_RDWR 0666
      stat @$i -> mode=0660
      `,
    ),
    script(
      'attributes, locks and mappings of it',
      `
      f = open . O_TMPFILE|O_RDWR 0600
      setxattr @$f user.a b
      getxattr @$f user.a -> b
      chmod @$f 0640
      chown @$f 61001 61001
      utimens @$f 5 6
      stat @$f -> mode=0640 uid=61001 mtime=6.000000000
      truncate @$f 4096
      m = mmap $f 4096 PROT_READ|PROT_WRITE MAP_SHARED
      poke $m 0 mapped
      read $f 6 0 -> mapped
      flock $f LOCK_EX
      fsync $f
      `,
    ),
    script(
      'an unlinked file cannot be linked again',
      `
      create f 0644
      f = open f O_RDWR
      unlink f
      link /proc/self/fd/$f g AT_SYMLINK_FOLLOW -> ENOENT
      list . -> none
      `,
    ),
    script(
      'an open file gets a second name by its descriptor',
      `
      create f 0644 text
      f = open f O_RDONLY
      link /proc/self/fd/$f g AT_SYMLINK_FOLLOW
      stat g -> nlink=2
      p = open f O_PATH
      link @$p h AT_EMPTY_PATH
      stat h -> nlink=3
      `,
    ),
  ],
};
