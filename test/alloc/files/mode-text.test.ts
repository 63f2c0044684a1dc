import assert from 'node:assert/strict';
import { constants } from 'node:fs';
import { test } from 'node:test';
import { modeText } from '../../../src/alloc/files/mode-text.ts';

const ROWS: readonly (readonly [mode: number, text: string])[] = [
  [constants.S_IFREG | 0o644, '-rw-r--r--'],
  [constants.S_IFDIR | 0o777, 'drwxrwxrwx'],
  [constants.S_IFLNK | 0o777, 'Lrwxrwxrwx'],
  [constants.S_IFDIR | 0o1777, 'dtrwxrwxrwx'],
  [constants.S_IFREG | 0o4755, 'urwxr-xr-x'],
  [constants.S_IFREG | 0o6711, 'ugrwx--x--x'],
  [constants.S_IFDIR | 0o2770, 'dgrwxrwx---'],
  [constants.S_IFIFO | 0o600, 'prw-------'],
  [constants.S_IFSOCK | 0o755, 'Srwxr-xr-x'],
  [constants.S_IFBLK | 0o660, 'Drw-rw----'],
  [constants.S_IFCHR | 0o620, 'Dcrw--w----'],
  [constants.S_IFREG, '----------'],
];

for (const [mode, text] of ROWS) {
  test(`mode 0${mode.toString(8)} is written ${text}`, () => assert.equal(modeText(mode), text));
}
