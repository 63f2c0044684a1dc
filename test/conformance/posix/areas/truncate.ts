/** truncate and ftruncate. */
import { type Area, script } from '../area.ts';

export const truncate: Area = {
  area: 'truncate',
  scripts: [
    script(
      'shorter, longer, with zeros',
      `
      create f 0644 0123456789
      truncate f 4
      content f -> 0123
      truncate f 20
      content f -> 0123+%00*16
      stat f -> size=20
      f = open f O_RDWR
      truncate @$f 2
      read $f 10 0 -> 01
      truncate @$f 0
      stat f -> size=0 blocks=0
      truncate f 10000
      stat f -> size=10000 blocks=0
      `,
    ),
    script(
      'what was cut off does not come back',
      `
      create f 0644 x*10000
      f = open f O_RDWR
      truncate f 100
      truncate f 10000
      read $f 10000 0 -> x*100+%00*9900
      m = mmap $f 8192 PROT_READ|PROT_WRITE MAP_SHARED
      poke $m 4090 yyyyyy
      truncate f 4092
      truncate f 8192
      read $f 20 4088 -> %00%00yy+%00*16
      peek $m 4088 20 -> %00%00yy+%00*16
      `,
    ),
    script(
      'times: a change of size is one of the content',
      `
      create f 0644 text
      times f
      truncate f 2
      times f -> mc
      f = open f O_RDWR
      truncate @$f 1
      times f -> mc
      truncate @$f 1
      times f -> mc|none
      alice: truncate f 0 -> EACCES
      times f -> none
      `,
    ),
    script(
      'rights: that to write to the file',
      `
      alice: create f 0444 text
      alice: truncate f 0 -> EACCES
      bob: truncate f 0 -> EACCES
      chmod f 0206
      alice: truncate f 3
      bob: truncate f 2
      carol: truncate f 1 -> EACCES
      content f -> te
      truncate f 1
      stat f -> size=1
      `,
    ),
    script(
      'what has no content',
      `
      mkdir d
      truncate d 0 -> EISDIR
      alice: truncate d 0 -> EISDIR|EACCES
      mkfifo p
      truncate p 0 -> EINVAL
      mknod s S_IFSOCK
      truncate s 0 -> EINVAL
      symlink target l
      truncate l 0 -> ENOENT
      create target 0644 text
      truncate l 1
      content target -> t
      `,
    ),
    script(
      'to a size beyond 4 GiB',
      `
      create f 0644 start
      truncate f 0x180000005
      stat f -> size=6442450949
      f = open f O_RDWR
      write $f end 0x180000000
      read $f 10 0x180000000 -> end%00%00
      read $f 5 0 -> start
      lseek $f 0 SEEK_END -> 6442450949
      lseek $f 5000 SEEK_DATA -> 6442450944
      truncate f 5
      read $f 10 0 -> start
      lseek $f 0 SEEK_END -> 5
      `,
    ),
    script(
      'of an unlinked file, and one that is open for appending',
      `
      create f 0644 text
      f = open f O_RDWR|O_APPEND
      unlink f
      truncate @$f 2
      write $f more
      read $f 10 0 -> temore
      stat @$f -> size=6 nlink=0
      `,
    ),
  ],
};
