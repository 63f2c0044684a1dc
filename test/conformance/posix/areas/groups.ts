/** Directories with setgid, supplementary groups, search rights: who gets at what. */
import { type Area, script } from '../area.ts';

export const groups: Area = {
  area: 'groups and permissions',
  scripts: [
    script(
      'what is made in a setgid directory has its group, and directories hand the bit on',
      `
      mkdir d 0777
      chown d 0 61001
      chmod d 02777
      bob: create d/f 0644
      stat d/f -> uid=61002 gid=61001 mode=0644
      bob: mkdir d/sub 0755
      stat d/sub -> gid=61001 mode=02755
      bob: create d/sub/g 0644
      stat d/sub/g -> gid=61001
      bob: symlink x d/l
      lstat d/l -> gid=61001
      bob: mkfifo d/p
      stat d/p -> gid=61001
      bob: mknod d/s S_IFSOCK
      stat d/s -> gid=61001
      bob: open d/o O_CREAT|O_WRONLY 0600
      stat d/o -> gid=61001
      `,
    ),
    script(
      'a setgid program in a setgid directory needs membership',
      `
      mkdir d 0777
      chown d 0 61001
      chmod d 02777
      bob: create d/f 02755
      stat d/f -> mode=0755 gid=61001
      carol: create d/g 02755
      stat d/g -> mode=02755 gid=61001
      alice: create d/h 02755
      stat d/h -> mode=02755
      bob: create d/i 02644
      stat d/i -> gid=61001
      create d/j 02755
      stat d/j -> mode=02755
      `,
    ),
    script(
      'supplementary groups count',
      `
      mkdir d 0770
      chown d 0 61001
      carol: create d/f 0660
      stat d/f -> uid=61003 gid=61003
      alice: content d/f -> EACCES
      chown d/f 0 61001
      carol: content d/f -> empty
      carol: truncate d/f 5
      bob: stat d/f -> EACCES
      bob: create d/g 0644 -> EACCES
      carol: unlink d/f
      `,
    ),
    script(
      'the first class that fits decides',
      `
      create f 0047 text
      chown f 61001 61001
      alice: content f -> EACCES
      carol: content f -> text
      bob: content f -> text
      chmod f 0407
      alice: content f -> text
      carol: content f -> EACCES
      bob: content f -> text
      `,
    ),
    script(
      'directories: to list, to search, to change',
      `
      alice: mkdir d 0700
      alice: create d/f 0666 text
      bob: list d -> EACCES
      bob: stat d/f -> EACCES
      chmod d 0704
      bob: opendir d
      bob: stat d/f -> EACCES
      chmod d 0701
      bob: list d -> EACCES
      bob: content d/f -> text
      bob: create d/g 0644 -> EACCES
      chmod d 0703
      bob: create d/g 0644
      bob: unlink d/f
      chmod d 0500
      alice: create d/h 0644 -> EACCES
      alice: chmod d 0000
      alice: stat d -> mode=00
      alice: stat d/g -> EACCES
      stat d/g -> type=f
      `,
    ),
    script(
      'access(2) tells what the call would say',
      `
      alice: create f 0640
      alice: access f R_OK|W_OK
      alice: access f X_OK -> EACCES
      carol: access f R_OK
      carol: access f W_OK -> EACCES
      bob: access f F_OK
      bob: access f R_OK -> EACCES
      access f R_OK|W_OK
      access f X_OK -> EACCES
      chmod f 0100
      access f X_OK
      alice: access f X_OK
      bob: access f R_OK AT_EACCESS -> EACCES
      mkdir d 0700
      bob: access d X_OK -> EACCES
      bob: access d/x F_OK -> EACCES
      `,
    ),
    script(
      'a right that is taken away is gone for everybody at once',
      `
      mkdir d 0755
      create d/f 0644 text
      &2 alice: content d/f -> text
      chmod d 0700
      &2 alice: content d/f -> EACCES
      chmod d 0755
      &2 alice: content d/f -> text
      chmod d/f 0600
      &2 alice: content d/f -> EACCES
      chmod d/f 0644
      rename d e
      &2 alice: content d/f -> ENOENT
      &2 alice: content e/f -> text
      `,
    ),
    script(
      'programs: only with a bit to execute',
      `
      create p 0644 %23!/bin/sh%0aexit%204%0a
      exec p -> EACCES
      chmod p 0744
      exec p -> exit=4 output=
      alice: exec p -> EACCES
      chmod p 0755
      alice: exec p -> exit=4 output=
      create q 0755 %23!/missing/interpreter%0a
      exec q -> ENOENT
      create e 0755 garbage
      exec e -> ENOEXEC
      symlink p l
      exec l -> exit=4 output=
      `,
    ),
    script(
      'setuid does nothing where the mount says nosuid',
      `
      create p 0755 %23!/bin/sh%0aid%20-u%0a
      chmod p 04755
      alice: exec p -> exit=0 output=61001%0a
      `,
    ),
  ],
};
