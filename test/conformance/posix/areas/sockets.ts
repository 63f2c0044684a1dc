/** Unix sockets bound in the tree. */
import { type Area, script } from '../area.ts';

export const sockets: Area = {
  area: 'sockets',
  scripts: [
    script(
      'bound, connected and talked through by two processes',
      `
      umask 022
      s = bind s
      stat s -> type=s mode=0755 uid=0
      listen $s
      &2 c = connect s
      a = accept $s
      &2 write $c hello
      read $a 10 -> hello
      write $a back
      &2 read $c 10 -> back
      close $s
      &2 connect s -> ECONNREFUSED
      bind s -> EADDRINUSE
      unlink s
      bind s
      `,
    ),
    script(
      'connecting needs the right to write to the socket and to search the way',
      `
      mkdir d 0755
      s = bind d/s
      listen $s
      chmod d/s 0755
      alice: connect d/s -> EACCES
      chmod d/s 0777
      alice: connect d/s
      chmod d 0700
      alice: connect d/s -> EACCES
      chmod d 0755
      alice: bind d/t -> EACCES
      alice: connect d/missing -> ENOENT
      create f 0777
      connect f -> ECONNREFUSED
      `,
    ),
    script(
      'a socket keeps its listener over rename and link',
      `
      s = bind s
      listen $s
      rename s t
      &2 connect t
      link t u
      &2 connect u
      unlink t
      &2 connect u
      accept $s
      `,
    ),
    script(
      'datagrams',
      `
      s = bind s dgram
      &2 c = connect s dgram
      &2 write $c one
      &2 write $c two
      read $s 10 -> one
      read $s 10 -> two
      connect s -> EPROTOTYPE
      `,
    ),
    script(
      'owner and mode of a socket of somebody else',
      `
      umask 077
      alice: s = bind s
      stat s -> uid=61001 gid=61001 mode=0700
      umask 0
      `,
    ),
  ],
};
