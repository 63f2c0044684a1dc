/** open(2) with all its flags. */
import { type Area, script } from '../area.ts';

export const open: Area = {
  area: 'open',
  scripts: [
    script(
      'a new file has the mode less the umask, the user and the group of the process',
      `
      times .
      alice: f = open f O_CREAT|O_RDWR 0641
      times . -> mc
      stat f -> type=f mode=0641 uid=61001 gid=61001 size=0 nlink=1
      umask 022
      alice: open g O_CREAT|O_WRONLY 0777
      stat g -> mode=0755
      umask 0777
      alice: h = open h O_CREAT|O_RDWR 0777
      stat h -> mode=00
      alice: write $h text
      alice: read $h 10 0 -> text
      umask 0
      open s O_CREAT|O_WRONLY 07777
      stat s -> mode=07777
      carol: create k 0600
      stat k -> uid=61003 gid=61003
      `,
    ),
    script(
      'O_CREAT of what exists changes nothing',
      `
      alice: create f 0600 text
      times f
      times .
      f = open f O_CREAT|O_RDWR 0777
      times f -> none
      times . -> none
      stat f -> mode=0600 uid=61001 size=4
      read $f 10 -> text
      open f O_CREAT|O_EXCL|O_RDWR 0777 -> EEXIST
      mkdir d
      open d O_CREAT|O_RDWR -> EISDIR
      open d O_CREAT|O_EXCL -> EEXIST
      `,
    ),
    script(
      'O_TRUNC empties, and changes mtime and ctime',
      `
      alice: create f 0644 text
      times f
      alice: f = open f O_WRONLY|O_TRUNC
      times f -> mc
      stat f -> size=0 blocks=0
      alice: write $f more
      content f -> more
      bob: open f O_WRONLY|O_TRUNC -> EACCES
      bob: open f O_RDONLY|O_TRUNC -> EACCES
      content f -> more
      create g 0644
      times g
      open g O_WRONLY|O_TRUNC
      times g -> mc|none
      `,
    ),
    script(
      'O_APPEND writes at the end, wherever it stands and whoever wrote before',
      `
      create f 0644 one
      a = open f O_WRONLY|O_APPEND
      &2 b = open f O_WRONLY|O_APPEND
      write $a two
      &2 write $b three
      write $a 4
      content f -> onetwothree4
      lseek $a 0 SEEK_SET -> 0
      write $a 5
      content f -> onetwothree45
      &2 lseek $b 0 SEEK_CUR -> 11
      fcntl $a F_SETFL O_NONBLOCK|O_APPEND
      &2 fcntl $b F_SETFL O_APPEND
      &2 write $b 6
      content f -> onetwothree456
      `,
    ),
    script(
      'O_APPEND given to an open file',
      `
      create f 0644 one
      f = open f O_WRONLY
      fcntl $f F_SETFL O_APPEND
      write $f two
      content f -> onetwo
      `,
    ),
    script(
      'O_APPEND taken from an open file',
      `
      create f 0644 one
      f = open f O_WRONLY|O_APPEND
      write $f two
      fcntl $f F_SETFL 0
      write $f X 0
      content f -> Xnetwo
      `,
      'append-taken-away',
    ),
    script(
      'O_EXCL does not follow links, O_CREAT does',
      `
      symlink target l
      open l O_CREAT|O_EXCL|O_WRONLY -> EEXIST
      stat target -> ENOENT
      open l O_CREAT|O_WRONLY 0644
      stat target -> type=f
      symlink missing/x m
      open m O_CREAT|O_WRONLY -> ENOENT
      `,
    ),
    script(
      'O_NOFOLLOW, O_DIRECTORY and O_PATH',
      `
      create f 0600 text
      symlink f l
      mkdir d 0700
      symlink d to-d
      open l O_RDONLY|O_NOFOLLOW -> ELOOP
      open to-d O_RDONLY|O_NOFOLLOW -> ELOOP
      open to-d/. O_RDONLY|O_NOFOLLOW
      open f O_RDONLY|O_DIRECTORY -> ENOTDIR
      open l O_RDONLY|O_DIRECTORY -> ENOTDIR
      open to-d O_RDONLY|O_DIRECTORY
      open to-d O_RDONLY|O_DIRECTORY|O_NOFOLLOW -> ENOTDIR
      p = open l O_PATH|O_NOFOLLOW
      stat @$p -> type=l
      readlink @$p -> f
      alice: q = open f O_PATH
      alice: read $q 1 -> EBADF
      alice: stat @$q -> size=4
      `,
    ),
    script(
      'a directory cannot be written to',
      `
      mkdir d 0777
      open d O_WRONLY -> EISDIR
      open d O_RDWR -> EISDIR
      open d O_RDONLY|O_TRUNC -> EISDIR
      open d O_RDONLY|O_CREAT -> EISDIR
      f = open d O_RDONLY
      read $f 10 -> EISDIR
      write $f x -> EBADF
      truncate d 0 -> EISDIR
      `,
    ),
    script(
      'reads and writes need a descriptor opened for it',
      `
      create f 0644 text
      r = open f O_RDONLY
      w = open f O_WRONLY
      write $r x -> EBADF
      read $w 1 -> EBADF
      truncate @$r 0 -> EINVAL
      fallocate $r 0 0 10 -> EBADF
      write $w X
      content f -> Xext
      close $r
      read $r 1 -> EBADF
      `,
    ),
    script(
      'permissions of the file, for owner, group and others',
      `
      alice: create f 0640 text
      alice: open f O_RDWR
      carol: open f O_RDONLY
      carol: open f O_WRONLY -> EACCES
      carol: open f O_RDWR -> EACCES
      bob: open f O_RDONLY -> EACCES
      chmod f 0206
      alice: open f O_RDONLY -> EACCES
      alice: open f O_WRONLY
      carol: open f O_RDONLY -> EACCES
      carol: open f O_WRONLY -> EACCES
      bob: open f O_RDWR
      chmod f 0
      bob: open f O_RDONLY -> EACCES
      alice: open f O_RDONLY -> EACCES
      open f O_RDWR
      `,
    ),
    script(
      'a new file may be written whatever its mode says, and an open one after its mode has changed',
      `
      alice: f = open f O_CREAT|O_RDWR 0
      alice: write $f text
      alice: open f O_RDONLY -> EACCES
      alice: chmod f 0600
      alice: g = open f O_RDWR
      chown f 0 0
      chmod f 0
      alice: write $g more 4
      alice: read $g 10 0 -> textmore
      alice: open f O_RDONLY -> EACCES
      `,
    ),
    script(
      'creation needs the right to write to the directory',
      `
      mkdir d 0755
      alice: open d/f O_CREAT|O_WRONLY 0644 -> EACCES
      create d/f 0666
      alice: open d/f O_CREAT|O_WRONLY 0644
      chmod d 0666
      alice: open d/f O_RDONLY -> EACCES
      chmod d 0111
      alice: open d/f O_RDONLY
      alice: list d -> EACCES
      chmod d 0444
      alice: open d O_RDONLY
      `,
    ),
    script(
      'a program that runs cannot be written to, one that is written to cannot run',
      `
      create p 0755 %23!/bin/sh%0aexit%203%0a
      w = open p O_WRONLY
      exec p -> ETXTBSY
      close $w
      exec p -> exit=3 output=
      `,
    ),
    script(
      'flags of a descriptor',
      `
      create f 0644 text
      f = open f O_RDWR|O_APPEND|O_NONBLOCK
      n = fcntl $f F_GETFL
      fcntl $f F_SETFL O_APPEND
      open f O_RDONLY|O_NOATIME
      alice: open f O_RDONLY|O_NOATIME -> EPERM
      open f O_RDWR|O_SYNC
      s = open f O_WRONLY|O_DSYNC
      write $s TEXT
      fsync $s
      fdatasync $s
      syncfs $s
      sync-range $s 0 4
      advise $s
      content f -> TEXT
      d = open . O_RDONLY
      fsync $d
      `,
    ),
    script(
      'an open file goes with its rename',
      `
      create a 0644 text
      f = open a O_RDWR
      mkdir d
      rename a d/b
      write $f more 4
      content d/b -> textmore
      i = stat d/b .ino
      stat @$f -> ino=$i
      `,
    ),
    script(
      'the limit on the size of a file',
      `
      limit-size 1000
      create f 0644
      f = open f O_WRONLY
      write $f x*1500 -> 1000
      write $f x 1000 -> EFBIG
      truncate f 1001 -> EFBIG
      truncate @$f 2000 -> EFBIG
      fallocate $f 0 0 2000 -> EFBIG
      stat f -> size=1000
      limit-size
      write $f x 1000 -> 1
      `,
    ),
    script(
      'offsets that are none, and files beyond what the disk could hold',
      `
      create f 0644
      f = open f O_RDWR
      read $f 1 -1 -> EINVAL
      write $f x -1 -> EINVAL
      lseek $f -1 SEEK_SET -> EINVAL
      truncate f -1 -> EINVAL
      truncate f 0x7fffffffffffffff -> EFBIG
      write $f x 0x7ffffffffffffff0 -> EFBIG
      stat f -> size=0
      lseek $f 10 SEEK_END -> 10
      write $f x
      content f -> %00*10+x
      `,
    ),
  ],
};
