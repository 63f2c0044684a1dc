/** Mappings: coherent between processes and with reads and writes. */
import { type Area, script } from '../area.ts';

export const memory: Area = {
  area: 'mmap',
  scripts: [
    script(
      'a shared mapping is one memory for two processes',
      `
      create f 0666 a*8192
      a = open f O_RDWR
      m = mmap $a 8192 PROT_READ|PROT_WRITE MAP_SHARED
      &2 alice: b = open f O_RDWR
      &2 alice: n = mmap $b 8192 PROT_READ|PROT_WRITE MAP_SHARED
      poke $m 100 hello
      &2 alice: peek $n 98 9 -> aahelloaa
      &2 alice: poke $n 5000 world
      peek $m 5000 5 -> world
      &2 alice: read $b 5 100 -> hello
      &2 alice: write $b WRITE 200
      peek $m 200 5 -> WRITE
      read $a 5 5000 -> world
      msync $m
      content f -> a*100+hello+a*95+WRITE+a*4795+world+a*3187
      `,
    ),
    script(
      'a private mapping keeps its changes for itself',
      `
      create f 0644 a*4096
      f = open f O_RDONLY
      m = mmap $f 4096 PROT_READ|PROT_WRITE MAP_PRIVATE
      poke $m 0 bbb
      peek $m 0 5 -> bbbaa
      content f -> a*4096
      `,
    ),
    script(
      'rights of a mapping are those of the descriptor',
      `
      create f 0644 a*4096
      r = open f O_RDONLY
      w = open f O_WRONLY
      mmap $r 4096 PROT_READ|PROT_WRITE MAP_SHARED -> EACCES
      mmap $w 4096 PROT_READ MAP_SHARED -> EACCES
      m = mmap $r 4096 PROT_READ MAP_SHARED
      mprotect $m PROT_READ|PROT_WRITE -> EACCES
      poke $m 0 x -> SIGSEGV
      d = open . O_RDONLY
      mmap $d 4096 PROT_READ MAP_SHARED -> ENODEV
      `,
    ),
    script(
      'beyond the end of the file is nothing',
      `
      create f 0644 a*100
      f = open f O_RDWR
      m = mmap $f 8192 PROT_READ|PROT_WRITE MAP_SHARED
      peek $m 98 4 -> aa%00%00
      peek $m 4096 1 -> SIGBUS
      truncate f 5000
      peek $m 4096 1 -> %00
      poke $m 4500 x
      read $f 1 4500 -> x
      truncate f 100
      peek $m 4500 1 -> SIGBUS
      poke $m 4500 x -> SIGBUS
      `,
    ),
    script(
      'a mapping outlives its descriptor, and what it wrote is in the file',
      `
      create f 0644 a*4096
      f = open f O_RDWR
      m = mmap $f 4096 PROT_READ|PROT_WRITE MAP_SHARED
      close $f
      poke $m 10 later
      munmap $m
      content f -> a*10+later+a*4081
      `,
    ),
    script(
      'a sparse file through a mapping, at an offset',
      `
      create f 0644
      truncate f 1048576
      f = open f O_RDWR
      m = mmap $f 4096 PROT_READ|PROT_WRITE MAP_SHARED 524288
      peek $m 0 20 -> %00*20
      poke $m 0 here
      msync $m
      read $f 6 524286 -> %00%00here
      lseek $f 0 SEEK_DATA -> 524288
      `,
    ),
    script(
      'a mapping sees appended, punched and copied content',
      `
      create f 0644 a*4096
      f = open f O_RDWR
      m = mmap $f 12288 PROT_READ|PROT_WRITE MAP_SHARED
      write $f b*4096 4096
      peek $m 4094 4 -> aabb
      fallocate $f FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE 0 4096
      peek $m 4094 4 -> %00%00bb
      copy-range $f 4096 $f 8192 4096 -> 4096
      peek $m 8190 4 -> bbbb
      `,
    ),
    script(
      'code is mapped and run from the file',
      `
      copy /bin/true program
      chmod program 0755
      exec program -> exit=0 output=
      alice: exec program -> exit=0 output=
      f = open program O_RDONLY
      mmap $f 4096 PROT_READ|PROT_EXEC MAP_PRIVATE
      mmap $f 4096 PROT_READ|PROT_EXEC MAP_SHARED
      `,
    ),
  ],
};
