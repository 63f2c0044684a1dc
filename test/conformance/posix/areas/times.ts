/** utimensat, and which times each call changes. */
import { type Area, script } from '../area.ts';

export const times: Area = {
  area: 'times',
  scripts: [
    script(
      'set to the nanosecond, on every type',
      `
      create f 0644
      mkdir d
      mkfifo p
      utimens f 1000000000.123456789 1000000001.987654321
      stat f -> atime=1000000000.123456789 mtime=1000000001.987654321
      utimens d 1.000000001 2.999999999
      stat d -> atime=1.000000001 mtime=2.999999999
      utimens p 3 4
      stat p -> atime=3.000000000 mtime=4.000000000
      f = open f O_RDONLY
      utimens @$f 5.5 6.000000006
      stat f -> mtime=6.000000006
      times f
      utimens f 7 8
      times f -> amc
      `,
    ),
    script(
      'before 1970 and after 2038',
      `
      create f 0644
      utimens f -5 -6
      stat f -> atime=-5.000000000 mtime=-6.000000000
      utimens f 4294967296.5 8589934591.999999999
      stat f -> mtime=8589934591.999999999
      `,
    ),
    script(
      'UTIME_NOW and UTIME_OMIT',
      `
      create f 0644
      utimens f 5 6
      times f
      utimens f omit 7
      times f -> mc
      stat f -> atime=5.000000000 mtime=7.000000000
      utimens f 8 omit
      times f -> ac
      stat f -> atime=8.000000000 mtime=7.000000000
      utimens f omit omit
      times f -> none
      utimens f now omit
      times f -> ac
      utimens f omit now
      times f -> mc
      utimens f
      times f -> amc
      utimens f now now
      times f -> amc
      `,
    ),
    script(
      'of a symbolic link itself',
      `
      create f 0644
      utimens f 5 6
      symlink f l
      utimens l 7 8 AT_SYMLINK_NOFOLLOW
      lstat l -> mtime=8.000000000
      stat f -> mtime=6.000000000
      utimens l 9 10
      stat f -> mtime=10.000000000
      lstat l -> mtime=8.000000000
      `,
    ),
    script(
      'explicit times are for the owner, the present time for all who may write',
      `
      alice: create f 0666
      alice: utimens f 1 2
      bob: utimens f 1 2 -> EPERM
      bob: utimens f
      bob: utimens f now now
      bob: utimens f now omit -> EPERM
      bob: utimens f omit now -> EPERM
      chmod f 0644
      bob: utimens f -> EACCES
      bob: utimens f omit omit
      alice: utimens f 3 4
      chmod f 0444
      alice: utimens f
      utimens f 9 9
      stat f -> mtime=9.000000000
      `,
    ),
    script(
      'reading changes atime after a change of the file',
      `
      create f 0644 text
      times f
      content f -> text
      times f -> a
      content f -> text
      times f -> none
      `,
    ),
    script(
      'so does reading of what was just written',
      `
      create f 0644 text
      f = open f O_RDWR
      read $f 4 -> text
      times f
      write $f more
      times f -> mc
      read $f 4 0 -> text
      times f -> a
      `,
      'atime-of-cached-reads',
    ),
    script(
      'reading a directory or a link changes its atime',
      `
      mkdir d
      create d/f 0644
      symlink d l
      times d
      list d -> f:f
      times d -> a
      times l
      readlink l -> d
      times l -> a
      `,
    ),
    script(
      'writing changes mtime and ctime, a write of nothing does not',
      `
      create f 0644 text
      f = open f O_RDWR
      times f
      write $f more
      times f -> mc
      write $f empty
      times f -> none
      write $f x 100
      times f -> mc
      fsync $f
      times f -> none
      close $f
      times f -> none
      `,
    ),
    script(
      'writing through a mapping changes mtime and ctime',
      `
      create f 0644 x*4096
      f = open f O_RDWR
      m = mmap $f 4096 PROT_READ|PROT_WRITE MAP_SHARED
      times f
      poke $m 0 y
      msync $m
      times f -> mc
      `,
      'times-of-mappings',
    ),
    script(
      'names change the times of their directory, not those of others',
      `
      mkdir d
      mkdir d/sub
      create d/f 0644
      times d
      times .
      chmod d/f 0600
      times d -> none
      create d/sub/x 0644
      times d -> none
      unlink d/f
      times d -> mc
      symlink x d/l
      times d -> mc
      mkfifo d/p
      times d -> mc
      link d/p d/q
      times d -> mc
      rename d/q d/r
      times d -> mc
      rmdir d/missing -> ENOENT
      times d -> none
      times . -> none
      `,
    ),
    script(
      'attributes change ctime',
      `
      create f 0644
      times f
      setxattr f user.a b
      times f -> c
      removexattr f user.a
      times f -> c
      chown f 5 5
      times f -> c
      link f g
      times f -> c
      fallocate 99 0 0 1 -> EBADF
      f = open f O_RDWR
      fallocate $f 0 0 100
      times f -> mc
      fallocate $f FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE 0 50
      times f -> mc
      `,
    ),
    script(
      'times that were set stay, whatever is read and closed',
      `
      create f 0644 text
      f = open f O_RDWR
      write $f more
      utimens f 1000 2000
      close $f
      stat f -> mtime=2000.000000000
      g = open f O_RDONLY
      utimens @$g 3000 4000
      close $g
      stat f -> mtime=4000.000000000 atime=3000.000000000
      `,
    ),
  ],
};
