/** What is written is read: through descriptors of several processes, copies in the kernel, and past the cache. */
import { type Area, script } from '../area.ts';

export const content: Area = {
  area: 'content',
  scripts: [
    script(
      'a write is seen by everybody at once',
      `
      create f 0666 text
      a = open f O_RDWR
      &2 alice: b = open f O_RDWR
      &2 alice: read $b 10 -> text
      write $a MORE+x*100000
      &2 alice: stat f -> size=100004
      &2 alice: read $b 6 100000 -> xxxx
      &2 alice: write $b end 100004
      read $a 7 100000 -> xxxxend
      lseek $a 0 SEEK_END -> 100007
      `,
    ),
    script(
      'positions belong to the open file',
      `
      create f 0644 0123456789
      f = open f O_RDWR
      g = dup $f
      read $f 3 -> 012
      read $g 3 -> 345
      h = open f O_RDONLY
      read $h 2 -> 01
      lseek $f -1 SEEK_END -> 9
      read $g 5 -> 9
      read $g 5 -> empty
      read $f 2 4 -> 45
      lseek $f 0 SEEK_CUR -> 10
      `,
    ),
    script(
      'writes of many parts, and of a million bytes',
      `
      create f 0644
      f = open f O_RDWR
      writev $f one two three -> 11
      content f -> onetwothree
      write $f a*1000000+b*1000000 0 -> 2000000
      read $f 6 999997 -> aaabbb
      content f -> a*1000000+b*1000000
      `,
    ),
    script(
      'copy_file_range, also within one file and past the end',
      `
      create a 0644 0123456789
      create b 0644 abc
      a = open a O_RDWR
      b = open b O_RDWR
      copy-range $a 2 $b 1 4 -> 4
      content b -> a2345
      copy-range $a 0 $a 20 5 -> 5
      content a -> 0123456789+%00*10+01234
      copy-range $a 100 $b 0 5 -> 0
      copy-range $a 0 $a 2 5 -> EINVAL
      r = open a O_RDONLY
      copy-range $b 0 $r 0 1 -> EBADF
      create big 0644 x*3000000
      big = open big O_RDONLY
      create to 0644
      to = open to O_RDWR
      copy-range $big 0 $to 0 3000000 -> 3000000
      stat to -> size=3000000
      times to
      copy-range $big 0 $to 0 10 -> 10
      times to -> mc
      `,
    ),
    script(
      'sendfile and splice, in both directions',
      `
      create a 0644 x*50000
      create b 0644
      a = open a O_RDONLY
      b = open b O_RDWR
      sendfile $a 100 $b 40000 -> 40000
      stat b -> size=40000
      splice $a 0 $b 40000 30000 -> 30000
      stat b -> size=70000
      content b -> x*70000
      `,
    ),
    script(
      'O_DIRECT reads and writes, and sees what others write',
      `
      create f 0644 a*8192
      d = open f O_RDWR|O_DIRECT
      f = open f O_RDWR
      read $d 4096 0 -> a*4096
      write $d b*4096 4096 -> 4096
      read $f 4 4094 -> aabb
      write $f ccc 0
      read $d 4096 0 -> ccc+a*4093
      read $d 4096 8192 -> empty
      write $d e*4096 8192 -> 4096
      stat f -> size=12288
      truncate f 100
      read $d 4096 0 -> ccc+a*97
      `,
      'direct-io',
    ),
    script(
      'a file that is written by one and truncated by another',
      `
      create f 0666 x*5000
      a = open f O_RDWR
      &2 b = open f O_RDWR
      read $a 10 0 -> x*10
      &2 truncate @$b 100
      read $a 200 0 -> x*100
      write $a y 4000
      &2 read $b 1 4000 -> y
      &2 read $b 1 200 -> %00
      `,
    ),
    script(
      'a copy of a replaced file: old descriptors old content, new ones new',
      `
      create f 0644 old
      f = open f O_RDONLY
      create g 0644 new
      rename g f
      read $f 10 -> old
      content f -> new
      create f2 0644 newer
      rename f2 f
      content f -> newer
      read $f 10 0 -> old
      `,
    ),
    script(
      'size and blocks of what is not flushed yet',
      `
      create f 0644
      f = open f O_WRONLY
      write $f x*100000
      stat f -> size=100000
      fsync $f
      stat f -> size=100000 !blocks=0
      stat f -> blksize=4096
      `,
    ),
  ],
};
