/** Extended attributes. */
import { type Area, script } from '../area.ts';

const MANY = Array.from({ length: 20 }, (_, index) => `user.n${index}`);

export const xattrs: Area = {
  area: 'extended attributes',
  scripts: [
    script(
      'set, read, listed, replaced, removed',
      `
      create f 0644
      listxattr f -> none
      getxattr f user.a -> ENODATA
      setxattr f user.a one
      setxattr f user.b empty
      setxattr f user.c %00%ff%00
      listxattr f -> user.a user.b user.c
      getxattr f user.a -> one
      getxattr f user.b -> empty
      getxattr f user.c -> %00%ff%00
      setxattr f user.a two
      getxattr f user.a -> two
      removexattr f user.a
      getxattr f user.a -> ENODATA
      removexattr f user.a -> ENODATA
      listxattr f -> user.b user.c
      mkdir d
      setxattr d user.a on-a-directory
      getxattr d user.a -> on-a-directory
      `,
    ),
    script(
      'XATTR_CREATE and XATTR_REPLACE',
      `
      create f 0644
      setxattr f user.a x XATTR_REPLACE -> ENODATA
      setxattr f user.a x XATTR_CREATE
      setxattr f user.a y XATTR_CREATE -> EEXIST
      getxattr f user.a -> x
      setxattr f user.a z XATTR_REPLACE
      getxattr f user.a -> z
      `,
    ),
    script(
      'limits of names, values and buffers',
      `
      create f 0644
      setxattr f user.${'n'.repeat(250)} x
      getxattr f user.${'n'.repeat(250)} -> x
      setxattr f user.${'n'.repeat(251)} x -> ERANGE
      setxattr f user. x -> EINVAL
      setxattr f bogus.a x -> EOPNOTSUPP
      setxattr f plain x -> EOPNOTSUPP
      setxattr f user.a x*2000
      getxattr f user.a -> x*2000
      xattr-size f user.a 0 -> 2000
      xattr-size f user.a 1999 -> ERANGE
      xattr-size f user.a 2000 -> 2000
      setxattr f user.big x*70000 -> E2BIG
      setxattr f user.big x*60000 -> ENOSPC|E2BIG
      ${MANY.map((name) => `setxattr f ${name} v`).join('\n')}
      getxattr f user.n19 -> v
      `,
    ),
    script(
      'user attributes: rights are those of the content',
      `
      alice: create f 0640
      alice: setxattr f user.a x
      carol: getxattr f user.a -> x
      carol: setxattr f user.a y -> EACCES
      bob: getxattr f user.a -> EACCES
      bob: setxattr f user.b y -> EACCES
      bob: removexattr f user.a -> EACCES
      bob: listxattr f -> user.a
      alice: chmod f 0400
      alice: setxattr f user.a y -> EACCES
      chmod f 0666
      bob: setxattr f user.a y
      getxattr f user.a -> y
      mkdir s 01777
      bob: setxattr s user.a x -> EPERM|EACCES
      `,
    ),
    script(
      'user attributes are for files and directories only',
      `
      symlink nowhere l
      lsetxattr l user.a x -> EPERM
      mkfifo p
      setxattr p user.a x -> EPERM
      mknod s S_IFSOCK
      setxattr s user.a x -> EPERM
      lgetxattr l user.a -> EPERM|ENODATA
      llistxattr l -> none
      create f 0644
      symlink f m
      setxattr m user.a x
      getxattr f user.a -> x
      `,
    ),
    script(
      'trusted attributes are for root only, and nobody else sees them',
      `
      create f 0666
      setxattr f trusted.a x
      getxattr f trusted.a -> x
      listxattr f -> trusted.a
      alice: getxattr f trusted.a -> ENODATA|EPERM
      alice: setxattr f trusted.a y -> EPERM
      alice: listxattr f -> none
      alice: removexattr f trusted.a -> EPERM
      symlink x l
      lsetxattr l trusted.a x
      lgetxattr l trusted.a -> x
      `,
      'host-root',
    ),
    script(
      'file capabilities: kept with the file, lost when it is written to',
      `
      create p 0755 text
      setxattr p security.capability %01%00%00%02%00%04%00%00%00%00%00%00%00%00%00%00%00%00%00%00
      getxattr p security.capability -> any
      listxattr p -> security.capability
      alice: setxattr p security.capability %01%00%00%02%00%04%00%00%00%00%00%00%00%00%00%00%00%00%00%00 -> EPERM
      rename p q
      listxattr q -> security.capability
      f = open q O_WRONLY
      write $f X
      getxattr q security.capability -> ENODATA
      setxattr q security.capability %01%00%00%02%00%04%00%00%00%00%00%00%00%00%00%00%00%00%00%00
      chown q 61001 61001
      getxattr q security.capability -> ENODATA
      setxattr q security.capability %01%00%00%02%00%04%00%00%00%00%00%00%00%00%00%00%00%00%00%00
      truncate q 1
      getxattr q security.capability -> ENODATA
      `,
      'host-root',
    ),
    script(
      'by descriptor, also of an unlinked file',
      `
      create f 0644
      f = open f O_RDWR
      setxattr @$f user.a x
      unlink f
      getxattr @$f user.a -> x
      setxattr @$f user.b y
      listxattr @$f -> user.a user.b
      removexattr @$f user.a
      listxattr @$f -> user.b
      `,
    ),
  ],
};
