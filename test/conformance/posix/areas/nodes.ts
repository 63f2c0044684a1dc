/** mknod and mkfifo: all types. */
import { type Area, script } from '../area.ts';

export const nodes: Area = {
  area: 'mknod and mkfifo',
  scripts: [
    script(
      'fifos, sockets and files for everybody',
      `
      times .
      alice: mkfifo p 0640
      times . -> mc
      stat p -> type=p mode=0640 uid=61001 gid=61001 nlink=1 size=0
      alice: mknod s S_IFSOCK 0755
      stat s -> type=s mode=0755
      alice: mknod f S_IFREG 0600
      stat f -> type=f mode=0600 size=0
      alice: mknod g 0 0600
      stat g -> type=f
      umask 027
      alice: mkfifo q 0777
      stat q -> mode=0750
      agree . -> yes
      list . -> f:f g:f p:p q:p s:s
      `,
    ),
    script(
      'devices for root only',
      `
      mknod c S_IFCHR 0640 1 3
      stat c -> type=c mode=0640 rdev=1:3
      mknod b S_IFBLK 0600 250 300
      stat b -> type=b rdev=250:300
      mknod big S_IFCHR 0600 4000 1000000
      stat big -> rdev=4000:1000000
      alice: mknod x S_IFCHR 0644 1 3 -> EPERM
      alice: mknod x S_IFBLK 0644 1 3 -> EPERM
      rename c d
      stat d -> rdev=1:3
      link d e
      stat e -> nlink=2 rdev=1:3
      list . -> b:b big:c d:c e:c
      # mounts of tasks are nodev
      open d O_RDONLY -> EACCES
      `,
      'host-root',
    ),
    script(
      'what exists, and rights',
      `
      create f 0644
      mkfifo f -> EEXIST
      mkdir d 0755
      mkfifo d -> EEXIST
      symlink nowhere l
      mkfifo l -> EEXIST
      mknod l S_IFREG -> EEXIST
      alice: mkfifo d/p -> EACCES
      alice: mknod d/p S_IFREG -> EACCES
      mknod x S_IFDIR 0755 -> EPERM|EINVAL
      mknod x S_IFLNK 0755 -> EINVAL
      `,
    ),
    script(
      'a fifo carries data between processes',
      `
      mkfifo p 0666
      open p O_WRONLY|O_NONBLOCK -> ENXIO
      r = open p O_RDONLY|O_NONBLOCK
      &2 alice: w = open p O_WRONLY
      &2 alice: write $w hello
      read $r 100 -> hello
      unlink p
      &2 alice: write $w more
      read $r 100 -> more
      &2 alice: close $w
      read $r 100 -> empty
      stat @$r -> type=p nlink=0
      `,
    ),
    script(
      'opening a fifo waits for the other end',
      `
      mkfifo p 0666
      &2 writer := open p O_WRONLY
      r = open p O_RDONLY
      done writer
      &2 write $writer late
      read $r 100 -> late
      `,
    ),
    script(
      'a device or socket that is not there',
      `
      mknod s S_IFSOCK 0644
      open s O_RDONLY -> ENXIO
      connect s -> ECONNREFUSED
      `,
    ),
  ],
};
