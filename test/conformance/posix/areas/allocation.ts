/** fallocate and posix_fallocate, holes, and where data is. */
import { type Area, script } from '../area.ts';

export const allocation: Area = {
  area: 'allocation',
  scripts: [
    script(
      'posix_fallocate makes room, and the file longer',
      `
      create f 0644 text
      f = open f O_RDWR
      posix-fallocate $f 0 100000
      stat f -> size=100000 !blocks=8
      read $f 6 0 -> text%00%00
      posix-fallocate $f 0 10
      stat f -> size=100000
      posix-fallocate $f 200000 10
      stat f -> size=200010
      posix-fallocate $f 0 0 -> EINVAL
      posix-fallocate $f -1 10 -> EINVAL
      r = open f O_RDONLY
      posix-fallocate $r 0 10 -> EBADF
      mkfifo p
      q = open p O_RDWR
      posix-fallocate $q 0 10 -> ESPIPE
      `,
    ),
    script(
      'FALLOC_FL_KEEP_SIZE',
      `
      create f 0644 text
      f = open f O_RDWR
      fallocate $f FALLOC_FL_KEEP_SIZE 0 100000
      stat f -> size=4 !blocks=8
      content f -> text
      `,
    ),
    script(
      'a hole is punched: zeros, less blocks, the same size',
      `
      create f 0644 x*65536
      f = open f O_RDWR
      fsync $f
      b = stat f .blocks
      fallocate $f FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE 4096 40960
      stat f -> size=65536 !blocks=$b
      content f -> x*4096+%00*40960+x*20480
      lseek $f 0 SEEK_HOLE -> 4096
      lseek $f 5000 SEEK_DATA -> 45056
      lseek $f 45056 SEEK_HOLE -> 65536
      lseek $f 65536 SEEK_DATA -> ENXIO
      fallocate $f FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE 100 50
      read $f 200 0 -> x*100+%00*50+x*50
      fallocate $f FALLOC_FL_PUNCH_HOLE 0 10 -> EOPNOTSUPP
      `,
    ),
    script(
      'a range is zeroed, within and beyond the end',
      `
      create f 0644 x*10000
      f = open f O_RDWR
      fallocate $f FALLOC_FL_ZERO_RANGE 5000 1000
      content f -> x*5000+%00*1000+x*4000
      fallocate $f FALLOC_FL_ZERO_RANGE|FALLOC_FL_KEEP_SIZE 9000 5000
      content f -> x*5000+%00*1000+x*3000+%00*1000
      fallocate $f FALLOC_FL_ZERO_RANGE 9000 5000
      stat f -> size=14000
      `,
      'zero-range',
    ),
    script(
      'ranges are taken out and put in',
      `
      create f 0644 a*4096+b*4096+c*4096
      f = open f O_RDWR
      fallocate $f FALLOC_FL_COLLAPSE_RANGE 4096 4096
      content f -> a*4096+c*4096
      fallocate $f FALLOC_FL_INSERT_RANGE 4096 4096
      content f -> a*4096+%00*4096+c*4096
      fallocate $f FALLOC_FL_COLLAPSE_RANGE 0 100 -> EINVAL
      `,
      'range-shifts',
    ),
    script(
      'sparse files: data and holes are found',
      `
      create f 0644
      truncate f 1048576
      f = open f O_RDWR
      lseek $f 0 SEEK_DATA -> ENXIO
      lseek $f 0 SEEK_HOLE -> 0
      write $f x*4096 524288
      lseek $f 0 SEEK_DATA -> 524288
      lseek $f 524288 SEEK_HOLE -> 528384
      lseek $f 600000 SEEK_HOLE -> 600000
      lseek $f 2000000 SEEK_HOLE -> ENXIO
      lseek $f 0 SEEK_CUR -> 600000
      fsync $f
      stat f -> blocks=8
      `,
    ),
    script(
      'beyond 4 GiB',
      `
      create f 0644
      f = open f O_RDWR
      write $f end 5368709120
      stat f -> size=5368709123
      fallocate $f 0 5368709120 4096
      stat f -> size=5368713216
      lseek $f 0 SEEK_DATA -> 5368709120
      read $f 3 5368709120 -> end
      read $f 3 5368709117 -> %00%00%00
      fallocate $f FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE 5368709120 4096
      read $f 3 5368709120 -> %00%00%00
      `,
    ),
  ],
};
