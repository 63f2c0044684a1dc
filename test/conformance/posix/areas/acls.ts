/** POSIX access control lists. */
import { type Area, script } from '../area.ts';

export const acls: Area = {
  area: 'access control lists',
  scripts: [
    script(
      'an entry for a user and one for a group',
      `
      create f 0600 text
      bob: content f -> EACCES
      setacl f access u::rw-,u:61002:r--,g::---,m::r--,o::---
      getacl f access -> u::rw-,u:61002:r--,g::---,m::r--,o::---
      bob: content f -> text
      bob: open f O_WRONLY -> EACCES
      alice: content f -> EACCES
      setacl f access u::rw-,g::---,g:61001:rw-,m::rw-,o::---
      carol: open f O_RDWR
      alice: open f O_RDWR
      bob: content f -> EACCES
      stat f -> mode=0660
      removeacl f access
      getacl f access -> ENODATA
      carol: content f -> EACCES
      `,
    ),
    script(
      'the mask and the mode are one',
      `
      create f 0640 text
      setacl f access u::rw-,u:61002:rw-,g::r--,m::rw-,o::---
      stat f -> mode=0660
      chmod f 0640
      getacl f access -> u::rw-,u:61002:rw-,g::r--,m::r--,o::---
      bob: open f O_WRONLY -> EACCES
      bob: open f O_RDONLY
      chmod f 0600
      bob: open f O_RDONLY -> EACCES
      chmod f 0666
      bob: open f O_RDWR
      times f
      setacl f access u::r--,g::r--,o::r--
      times f -> c
      stat f -> mode=0444
      getacl f access -> ENODATA
      `,
    ),
    script(
      'the default of a directory is inherited, and the umask does not count then',
      `
      mkdir d 0777
      setacl d default u::rwx,u:61002:rwx,g::r-x,m::rwx,o::---
      umask 077
      create d/f 0666
      getacl d/f access -> u::rw-,u:61002:rwx,g::r-x,m::rw-,o::---
      stat d/f -> mode=0660
      mkdir d/sub 0777
      getacl d/sub default -> u::rwx,u:61002:rwx,g::r-x,m::rwx,o::---
      getacl d/sub access -> u::rwx,u:61002:rwx,g::r-x,m::rwx,o::---
      stat d/sub -> mode=0770
      bob: create d/sub/x 0600
      stat d/sub/x -> uid=61002 mode=0600
      getacl d/sub/x access -> u::rw-,u:61002:rwx,g::r-x,m::---,o::---
      mkfifo d/p 0644
      stat d/p -> mode=0640
      symlink x d/l
      open d/o O_CREAT|O_WRONLY 0644
      stat d/o -> mode=0640
      mknod d/n S_IFREG 0604
      stat d/n -> mode=0600
      `,
    ),
    script(
      'without a default the umask counts',
      `
      mkdir d 0777
      setacl d default u::rwx,u:61002:rwx,g::r-x,m::rwx,o::---
      removeacl d default
      umask 027
      create d/f 0666
      stat d/f -> mode=0640
      getacl d/f access -> ENODATA
      `,
    ),
    script(
      'only the owner may, and only directories have defaults',
      `
      alice: create f 0644
      bob: setacl f access u::rwx,g::r--,o::r-- -> EPERM
      alice: setacl f access u::rw-,u:61002:rw-,g::r--,m::rw-,o::---
      bob: getacl f access -> u::rw-,u:61002:rw-,g::r--,m::rw-,o::---
      bob: removeacl f access -> EPERM
      setacl f default u::rwx,g::r--,o::r-- -> EACCES
      setacl f access u::rw-,u:61002:rw-,g::r--,o::--- -> EINVAL
      setacl f access u::rw- -> EINVAL
      `,
    ),
    script(
      'searching and changing a directory',
      `
      mkdir d 0700
      create d/f 0666 text
      bob: content d/f -> EACCES
      setacl d access u::rwx,u:61002:--x,g::---,m::rwx,o::---
      bob: content d/f -> text
      bob: list d -> EACCES
      bob: create d/x 0644 -> EACCES
      setacl d access u::rwx,u:61002:rwx,g::---,m::rwx,o::---
      bob: create d/x 0644
      bob: list d -> f:f x:f
      alice: list d -> EACCES
      `,
    ),
    script(
      'setgid falls off when a stranger to the group sets a list',
      `
      create f 0755
      chown f 61001 61002
      chmod f 02755
      alice: setacl f access u::rwx,u:61003:r--,g::r-x,m::r-x,o::---
      stat f -> mode=0750
      `,
    ),
    script(
      'a list goes with the file through links and renames',
      `
      create f 0600
      setacl f access u::rw-,u:61002:r--,g::---,m::r--,o::---
      link f g
      rename f h
      getacl g access -> u::rw-,u:61002:r--,g::---,m::r--,o::---
      listxattr h -> system.posix_acl_access
      bob: content h -> empty
      `,
    ),
  ],
};
