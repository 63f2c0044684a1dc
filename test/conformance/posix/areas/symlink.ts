/** Symbolic links. */
import { type Area, script } from '../area.ts';

const LONGEST_TEXT = `${'t/'.repeat(2047)}t`;

export const symlink: Area = {
  area: 'symlink',
  scripts: [
    script(
      'text, owner, mode, size and times',
      `
      times .
      alice: symlink some/where l
      times . -> mc
      lstat l -> type=l mode=0777 uid=61001 gid=61001 size=10 nlink=1
      readlink l -> some/where
      umask 077
      symlink x m
      lstat m -> mode=0777
      `,
    ),
    script(
      'any text of up to 4095 bytes',
      `
      symlink ${LONGEST_TEXT} l
      readlink l -> ${LONGEST_TEXT}
      lstat l -> size=4095
      symlink ${LONGEST_TEXT}x m -> ENAMETOOLONG
      symlink '' n -> ENOENT
      symlink %01%ff%20 o
      readlink o -> %01%ff%20
      symlink / p
      stat p -> type=d
      `,
    ),
    script(
      'what exists',
      `
      create f 0644
      symlink x f -> EEXIST
      symlink x . -> EEXIST
      symlink x l
      symlink y l -> EEXIST
      readlink l -> x
      readlink f -> EINVAL
      readlink . -> EINVAL
      `,
    ),
    script(
      'are followed from where they stand',
      `
      mkdir d
      create d/f 0644 inside
      create f 0644 outside
      symlink f d/l
      content d/l -> inside
      rename d/l l
      content l -> outside
      symlink d/l2 m
      symlink ../f d/l2
      content m -> outside
      stat m -> type=f
      lstat m -> type=l
      unlink m
      stat d/l2 -> type=f
      `,
    ),
    script(
      'a new link in the place of an old one shows its own text',
      `
      symlink one l
      readlink l -> one
      unlink l
      symlink two l
      readlink l -> two
      symlink three m
      rename m l
      readlink l -> three
      `,
    ),
    script(
      'rights: the directory of the link decides',
      `
      mkdir d 0755
      alice: symlink x d/l -> EACCES
      symlink x d/l
      alice: readlink d/l -> x
      alice: unlink d/l -> EACCES
      chmod d 0666
      alice: readlink d/l -> EACCES
      `,
    ),
  ],
};
