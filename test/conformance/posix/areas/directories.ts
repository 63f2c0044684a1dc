/** mkdir and rmdir. */
import { type Area, script } from '../area.ts';

export const directories: Area = {
  area: 'mkdir and rmdir',
  scripts: [
    script(
      'mode, owner and times of a new directory',
      `
      times .
      mkdir d 0755
      times . -> mc
      stat d -> type=d mode=0755 uid=0 gid=0 nlink=2
      mkdir e 01777
      stat e -> mode=01777
      umask 077
      mkdir f 0777
      stat f -> mode=0700
      umask 0
      alice: mkdir g 0151
      stat g -> mode=0151 uid=61001 gid=61001
      carol: mkdir h 0755
      stat h -> uid=61003 gid=61003
      mkdir i 04755
      stat i -> mode=0755
      `,
    ),
    script(
      'counts of links follow the directories inside',
      `
      mkdir d
      mkdir d/a
      mkdir d/b
      create d/f 0644
      stat d -> nlink=4
      rmdir d/a
      stat d -> nlink=3
      rename d/b b
      stat d -> nlink=2
      `,
    ),
    script(
      'mkdir on what exists',
      `
      create f 0644
      mkdir f -> EEXIST
      mkdir d
      mkdir d -> EEXIST
      mkdir . -> EEXIST
      mkdir d/.. -> EEXIST
      symlink nowhere l
      mkdir l -> EEXIST
      mkfifo p
      mkdir p -> EEXIST
      mkdir f/x -> ENOTDIR
      `,
    ),
    script(
      'rmdir of what cannot be removed',
      `
      mkdir d
      create d/f 0644
      rmdir d -> ENOTEMPTY
      rmdir d/f -> ENOTDIR
      unlink d -> EISDIR
      unlink d/f
      mkdir d/e
      rmdir d -> ENOTEMPTY
      rmdir d/e/.. -> ENOTEMPTY
      rmdir d/e/. -> EINVAL
      symlink d l
      rmdir l -> ENOTDIR
      rmdir d/e
      times .
      rmdir d
      times . -> mc
      rmdir d -> ENOENT
      `,
    ),
    script(
      'rights',
      `
      mkdir d 0755
      alice: mkdir d/x -> EACCES
      mkdir d/y 0777
      alice: rmdir d/y -> EACCES
      chmod d 0777
      alice: rmdir d/y
      alice: mkdir d/x 0700
      bob: mkdir d/x/z -> EACCES
      bob: rmdir d/x
      alice: mkdir e 0500
      alice: mkdir e/x -> EACCES
      `,
    ),
    script(
      'a removed directory that is open',
      `
      mkdir d
      create d/f 0644
      f = open d O_RDONLY|O_DIRECTORY
      unlink d/f
      rmdir d
      fsync $f
      stat @$f -> nlink=0 type=d
      create @$f/x 0644 -> ENOENT
      stat @$f/x -> ENOENT
      mkdir d
      list d -> none
      list @$f -> none
      `,
    ),
    script(
      'the number of a removed directory is not given away while it is open',
      `
      mkdir d
      f = open d O_RDONLY|O_DIRECTORY
      rmdir d
      mkdir d
      i = stat d .ino
      stat @$f -> !ino=$i nlink=0
      `,
      'inodes-of-removed-directories',
    ),
    script(
      'a name is free again at once',
      `
      mkdir d
      rmdir d
      create d 0644
      stat d -> type=f
      unlink d
      mkdir d
      stat d -> type=d
      rmdir d
      symlink x d
      lstat d -> type=l
      `,
    ),
    script(
      'a path of 500 directories',
      `
      ${Array.from({ length: 500 }, () => 'mkdir d\nchdir d').join('\n')}
      create f 0644 deep
      content f -> deep
      `,
    ),
  ],
};
