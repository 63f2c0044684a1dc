/** statvfs and statx. */
import { type Area, script } from '../area.ts';

export const statistics: Area = {
  area: 'statvfs and statx',
  scripts: [
    script(
      'size and free space are those of the disk',
      `
      create f 0644
      statvfs . -> namemax=255 free=1 bsize=4096 frsize=4096
      statvfs f -> namemax=255
      f = open f O_RDONLY
      statvfs @$f -> namemax=255
      alice: statvfs f -> namemax=255
      `,
    ),
    script(
      'statx',
      `
      create f 0640 text
      symlink f l
      statx f -> basic=1 size=4 mode=0640
      statx l -> basic=1 size=1 mode=0777
      f = open f O_RDONLY
      statx @$f -> basic=1 size=4
      `,
    ),
    script(
      'one device, and inodes of their own',
      `
      create a 0644
      create b 0644
      mkdir d
      d = stat . .dev
      stat a -> dev=$d
      stat d -> dev=$d
      i = stat a .ino
      stat b -> !ino=$i
      rename a d/a
      stat d/a -> ino=$i
      `,
    ),
  ],
};
