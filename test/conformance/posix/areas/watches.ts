/** inotify on files and directories. */
import { type Area, script } from '../area.ts';

const CHANGES =
  'IN_CREATE|IN_DELETE|IN_MOVED_FROM|IN_MOVED_TO|IN_MODIFY|IN_ATTRIB|IN_CLOSE_WRITE|IN_DELETE_SELF|IN_MOVE_SELF';

export const watches: Area = {
  area: 'inotify',
  scripts: [
    script(
      'a directory sees what is done in it, by others too',
      `
      w = watch . ${CHANGES}
      &2 create a 0644 text
      events $w -> CREATE:a MODIFY:a CLOSE_WRITE:a
      &2 alice: chmod a 0600 -> EPERM
      events $w -> none
      chmod a 0600
      events $w -> ATTRIB:a
      rename a b
      events $w -> MOVED_FROM:a MOVED_TO:b
      link b c
      events $w -> CREATE:c|ATTRIB:b CREATE:c
      unlink c
      events $w -> DELETE:c|ATTRIB:b DELETE:c
      mkdir d
      events $w -> CREATE:d
      rmdir d
      events $w -> DELETE:d
      truncate b 1
      events $w -> MODIFY:b
      symlink x l
      events $w -> CREATE:l
      setxattr b user.a v
      events $w -> ATTRIB:b
      utimens b 1 2
      events $w -> ATTRIB:b
      `,
    ),
    script(
      'a file sees what is done to it, under every name',
      `
      create f 0644 text
      link f g
      w = watch f ${CHANGES}
      h = open g O_WRONLY
      write $h x
      events $w -> MODIFY
      close $h
      events $w -> CLOSE_WRITE
      rename f k
      events $w -> MOVE_SELF
      unlink g
      events $w -> ATTRIB
      unlink k
      events $w -> ATTRIB DELETE_SELF IGNORED
      `,
    ),
    script(
      'reading, opening and closing',
      `
      create f 0644 text
      w = watch f IN_ACCESS|IN_OPEN|IN_CLOSE_NOWRITE
      content f -> text
      events $w -> OPEN ACCESS CLOSE|OPEN ACCESS ACCESS CLOSE
      `,
    ),
    script(
      'a directory that is removed or moved',
      `
      mkdir d
      w = watch d ${CHANGES}
      rename d e
      events $w -> MOVE_SELF
      create e/f 0644
      events $w -> CREATE:f CLOSE_WRITE:f
      unlink e/f
      events $w -> DELETE:f
      rmdir e
      events $w -> DELETE_SELF IGNORED
      `,
    ),
    script(
      'moves between directories',
      `
      mkdir a
      mkdir b
      create a/f 0644
      v = watch a ${CHANGES}
      w = watch b ${CHANGES}
      rename a/f b/g
      events $v -> MOVED_FROM:f
      events $w -> MOVED_TO:g
      create a/x 0644
      rename a/x b/g RENAME_EXCHANGE
      events $w -> MOVED_FROM:g MOVED_TO:g|MOVED_TO:g MOVED_FROM:g|any
      `,
    ),
    script(
      'allocation and copies are modifications',
      `
      create f 0644 x*8192
      create g 0644
      w = watch . IN_MODIFY
      f = open f O_RDWR
      fallocate $f 0 0 10000
      events $w -> MODIFY:f
      fallocate $f FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE 0 4096
      events $w -> MODIFY:f
      g = open g O_WRONLY
      copy-range $f 0 $g 0 100 -> 100
      events $w -> MODIFY:g
      `,
    ),
  ],
};
