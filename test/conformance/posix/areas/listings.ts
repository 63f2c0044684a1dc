/** Directories: their listing, also while they change, and with very many names. */
import { type Area, script } from '../area.ts';

const MANY = 2000;

export const listings: Area = {
  area: 'listings',
  scripts: [
    script(
      'names, types and inodes',
      `
      list . -> none
      create f 0644
      mkdir d
      symlink x l
      mkfifo p
      mknod s S_IFSOCK
      list . -> d:d f:f l:l p:p s:s
      agree . -> yes
      h = opendir .
      readdir $h 100 -> any
      closedir $h
      `,
    ),
    script(
      'changes are seen by the next reader, and after rewinddir',
      `
      h = opendir .
      readdir $h 100 -> . ..|.. .
      create a 0644
      rewinddir $h
      list . -> a:f
      unlink a
      list . -> none
      mkdir b
      list . -> b:d
      rename b c
      list . -> c:d
      &2 list . -> c:d
      &2 create z 0644
      list . -> c:d z:f
      rewinddir $h
      unlink z
      rmdir c
      rewinddir $h
      readdir $h 100 -> . ..|.. .
      `,
    ),
    script(
      `${MANY} names`,
      `
      mkdir d
      fill d name- 0 ${MANY}
      count d -> ${MANY}
      count d -> ${MANY}
      agree d -> yes
      clear d name- 0 ${MANY / 2}
      count d -> ${MANY / 2}
      stat d/name-${MANY / 2} -> type=f
      stat d/name-0 -> ENOENT
      clear d name- ${MANY / 2} ${MANY}
      count d -> 0
      rmdir d
      `,
    ),
    script(
      'a place that was told is found again',
      `
      mkdir d
      fill d n 0 500
      h = opendir d
      readdir $h 100 -> any
      p = telldir $h
      a = readdir $h 50
      readdir $h 200 -> any
      seekdir $h $p
      readdir $h 50 -> $a
      rewinddir $h
      readdir $h 100 -> any
      readdir $h 50 -> $a
      `,
    ),
    script(
      'a place stays good while other names come and go',
      `
      mkdir d
      fill d n 0 500
      h = opendir d
      readdir $h 100 -> any
      p = telldir $h
      a = readdir $h 1
      fill d later 0 100
      clear d later 0 100
      seekdir $h $p
      readdir $h 1 -> $a
      `,
    ),
    script(
      'removing what was read while reading leaves nothing out',
      `
      mkdir d
      fill d n 0 1000
      h = opendir d
      readdir $h 300 -> any
      clear d n 0 1000
      readdir $h 2000 -> any
      closedir $h
      count d -> 0
      rmdir d
      `,
    ),
    script(
      'a directory may be read without the right to search, and its names then have no attributes',
      `
      mkdir d 0744
      create d/f 0644
      alice: opendir d
      alice: stat d/f -> EACCES
      `,
    ),
  ],
};
