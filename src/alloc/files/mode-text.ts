/** File modes as the reference prints them: letters for what is not a regular file, then the nine permission bits. */
import { constants } from 'node:fs';

/** Kind of a file by its S_IFMT bits. A character device is a device, too. */
const KINDS: Readonly<Record<number, string>> = {
  [constants.S_IFDIR]: 'd',
  [constants.S_IFLNK]: 'L',
  [constants.S_IFBLK]: 'D',
  [constants.S_IFCHR]: 'Dc',
  [constants.S_IFIFO]: 'p',
  [constants.S_IFSOCK]: 'S',
};
const SETUID = 0o4000;
const SETGID = 0o2000;
const STICKY = 0o1000;
const LETTERS = 'rwxrwxrwx';

/** `-rw-r--r--`, `drwxrwxrwx`, `Lrwxrwxrwx`, `dtrwxrwxrwx`, `urwxr-xr-x`. `mode` is `st_mode`. */
export function modeText(mode: number): string {
  const kind = KINDS[mode & constants.S_IFMT] ?? '';
  const [first, second] = [kind.charAt(0), kind.slice(1)];
  const special = [
    first,
    (mode & SETUID) === 0 ? '' : 'u',
    (mode & SETGID) === 0 ? '' : 'g',
    second,
    (mode & STICKY) === 0 ? '' : 't',
  ].join('');
  const bits = [...LETTERS].map((letter, index) => (((mode >> (8 - index)) & 1) === 1 ? letter : '-'));
  return `${special === '' ? '-' : special}${bits.join('')}`;
}
