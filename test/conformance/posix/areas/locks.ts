/** Locks between processes. */
import { type Area, script } from '../area.ts';

export const locks: Area = {
  area: 'locks',
  scripts: [
    script(
      'flock: shared and exclusive',
      `
      create f 0666
      a = open f O_RDONLY
      &2 alice: b = open f O_RDONLY
      flock $a LOCK_SH
      &2 alice: flock $b LOCK_SH|LOCK_NB
      &2 alice: flock $b LOCK_EX|LOCK_NB -> EAGAIN
      flock $a LOCK_UN
      &2 alice: flock $b LOCK_EX|LOCK_NB
      flock $a LOCK_SH|LOCK_NB -> EAGAIN
      &2 alice: close $b
      flock $a LOCK_EX|LOCK_NB
      `,
    ),
    script(
      'flock waits until the other lets go',
      `
      create f 0666
      a = open f O_RDONLY
      flock $a LOCK_EX
      &2 b = open f O_RDONLY
      &2 other := flock $b LOCK_EX
      tick
      waits other
      flock $a LOCK_UN
      done other
      flock $a LOCK_SH|LOCK_NB -> EAGAIN
      `,
    ),
    script(
      'flock belongs to the open file, not to the process',
      `
      create f 0666
      a = open f O_RDONLY
      b = open f O_RDONLY
      c = dup $a
      flock $a LOCK_EX
      flock $c LOCK_EX|LOCK_NB
      flock $b LOCK_EX|LOCK_NB -> EAGAIN
      close $a
      flock $b LOCK_EX|LOCK_NB -> EAGAIN
      close $c
      flock $b LOCK_EX|LOCK_NB
      `,
    ),
    script(
      'ranges: overlapping, split and joined',
      `
      create f 0666 x*1000
      a = open f O_RDWR
      &2 b = open f O_RDWR
      p = pid
      lock $a F_SETLK F_WRLCK 100 100
      &2 lock $b F_SETLK F_WRLCK 150 10 -> EAGAIN
      &2 lock $b F_SETLK F_RDLCK 199 10 -> EAGAIN
      &2 lock $b F_SETLK F_WRLCK 200 10
      &2 lock $b F_SETLK F_WRLCK 0 100
      &2 testlock $b F_GETLK F_WRLCK 0 0 -> write start=100 length=100 pid=$p
      lock $a F_SETLK F_UNLCK 140 20
      &2 lock $b F_SETLK F_RDLCK 140 20
      &2 testlock $b F_GETLK F_WRLCK 165 1 -> write start=160 length=40 pid=$p
      lock $a F_SETLK F_RDLCK 145 5
      lock $a F_SETLK F_WRLCK 145 5 -> EAGAIN
      testlock $a F_GETLK F_RDLCK 100 10 -> free
      &2 testlock $b F_GETLK F_RDLCK 145 5 -> free
      `,
    ),
    script(
      'a lock of a process goes with any descriptor it closes',
      `
      create f 0666
      a = open f O_RDWR
      b = open f O_RDWR
      lock $a F_SETLK F_WRLCK 0 0
      lock $b F_SETLK F_WRLCK 0 0
      &2 c = open f O_RDWR
      &2 lock $c F_SETLK F_WRLCK 0 1 -> EAGAIN
      close $b
      &2 lock $c F_SETLK F_WRLCK 0 1
      `,
    ),
    script(
      'F_SETLKW waits, and two that wait for each other are told',
      `
      create f 0666
      a = open f O_RDWR
      &2 b = open f O_RDWR
      lock $a F_SETLK F_WRLCK 0 1
      &2 lock $b F_SETLK F_WRLCK 1 1
      &2 other := lock $b F_SETLKW F_WRLCK 0 1
      tick
      waits other
      lock $a F_SETLKW F_WRLCK 1 1 -> EDEADLK
      lock $a F_SETLK F_UNLCK 0 1
      done other
      `,
    ),
    script(
      'locks of open files (F_OFD_SETLK)',
      `
      create f 0666
      a = open f O_RDWR
      b = open f O_RDWR
      lock $a F_OFD_SETLK F_WRLCK 0 10
      lock $b F_OFD_SETLK F_WRLCK 5 10 -> EAGAIN
      lock $b F_SETLK F_WRLCK 5 10 -> EAGAIN
      lock $b F_OFD_SETLK F_WRLCK 10 10
      testlock $b F_OFD_GETLK F_WRLCK 0 1 -> write start=0 length=10 pid=-1
      close $a
      lock $b F_OFD_SETLK F_WRLCK 0 20
      `,
    ),
    script(
      'both kinds do not see each other, and rights are those of the descriptor',
      `
      create f 0666
      a = open f O_RDWR
      &2 b = open f O_RDWR
      flock $a LOCK_EX
      &2 lock $b F_SETLK F_WRLCK 0 0
      r = open f O_RDONLY
      w = open f O_WRONLY
      lock $r F_SETLK F_WRLCK 0 1 -> EBADF
      lock $w F_SETLK F_RDLCK 0 1 -> EBADF
      lock $a F_SETLK F_WRLCK -5 2 -> EINVAL
      `,
    ),
    script(
      'a lock holds after rename, unlink and through another name',
      `
      create f 0666
      link f g
      a = open f O_RDWR
      lock $a F_SETLK F_WRLCK 0 0
      flock $a LOCK_EX
      rename f h
      &2 b = open g O_RDWR
      &2 lock $b F_SETLK F_WRLCK 0 0 -> EAGAIN
      &2 flock $b LOCK_SH|LOCK_NB -> EAGAIN
      unlink h
      unlink g
      &2 lock $b F_SETLK F_WRLCK 0 0 -> EAGAIN
      close $a
      &2 lock $b F_SETLK F_WRLCK 0 0
      &2 flock $b LOCK_SH|LOCK_NB
      `,
    ),
    script(
      'on a directory',
      `
      mkdir d
      a = open d O_RDONLY
      &2 b = open d O_RDONLY
      flock $a LOCK_EX
      &2 flock $b LOCK_EX|LOCK_NB -> EAGAIN
      `,
    ),
    script(
      'leases',
      `
      create f 0666
      a = open f O_RDONLY
      fcntl $a F_SETLEASE F_RDLCK
      fcntl $a F_GETLEASE -> 0
      fcntl $a F_SETLEASE F_UNLCK
      `,
      'leases',
    ),
  ],
};
