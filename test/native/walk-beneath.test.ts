/** Every case is tried with openat2(2) too, where the addon has it: the imitation must do the same. */
import assert from 'node:assert/strict';
import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { loadNative } from '../../src/native/load.ts';
import { walkBeneath } from '../../src/native/walk-beneath.ts';

const O_PATH = 0o10000000;
const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_CREAT, O_EXCL, O_WRONLY } = constants;
const folder = mkdtempSync(join(tmpdir(), 'dunnage-walk-'));
const inside = join(folder, 'inside');
after(() => rmSync(folder, { recursive: true, force: true }));

mkdirSync(join(inside, 'deep/deeper'), { recursive: true });
writeFileSync(join(folder, 'outside'), 'outside');
writeFileSync(join(inside, 'deep/file'), 'content');
const LINKS = {
  link: 'deep/file',
  directory: 'deep',
  back: 'deep/deeper/../file',
  escape: '../outside',
  absolute: '/etc/passwd',
  loop: 'loop',
  dangling: 'nothing',
};
for (const [name, target] of Object.entries(LINKS)) symlinkSync(target, join(inside, name));

type Open = typeof walkBeneath;
const ways: readonly (readonly [string, Open])[] = [
  ['the imitation', walkBeneath],
  ['openat2', (...parameters) => loadNative().openBeneath(...parameters)],
];

for (const [way, open] of ways) {
  /** What is opened: `directory`, `link`, or the content of the file; or the errno. */
  const outcome = (path: string, follow: boolean, flags: number, mode = 0): string => {
    const directory = openSync(inside, O_RDONLY | O_DIRECTORY);
    let opened: number | undefined;
    try {
      opened = open(directory, path, flags, mode, follow);
      const stats = fstatSync(opened);
      if (stats.isDirectory()) return 'directory';
      if (stats.isSymbolicLink()) return 'link';
      if ((flags & O_PATH) !== 0) return 'file';
      const content = Buffer.alloc(16);
      return content.toString('utf8', 0, readSync(opened, content));
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? String(error);
    } finally {
      if (opened !== undefined) closeSync(opened);
      closeSync(directory);
    }
  };

  describe(`opening beneath a directory by ${way}`, () => {
    const cases: readonly (readonly [path: string, follow: boolean, flags: number, expected: string])[] = [
      ['deep/file', false, O_RDONLY, 'content'],
      ['./deep//file', false, O_RDONLY, 'content'],
      ['deep/../deep/file', false, O_RDONLY, 'content'],
      ['deep', false, O_RDONLY | O_DIRECTORY, 'directory'],
      ['deep/', false, O_RDONLY, 'directory'],
      ['deep/.', false, O_RDONLY, 'directory'],
      ['.', false, O_RDONLY, 'directory'],
      ['deep/..', false, O_RDONLY, 'directory'],
      ['deep/file/', false, O_RDONLY, 'ENOTDIR'],
      ['deep/file/more', true, O_RDONLY, 'ENOTDIR'],
      ['', true, O_RDONLY, 'directory'],
      ['nothing', true, O_RDONLY, 'ENOENT'],
      ['link', true, O_RDONLY, 'content'],
      ['link', false, O_RDONLY, 'ELOOP'],
      ['link', true, O_RDONLY | O_NOFOLLOW, 'ELOOP'],
      ['link', false, O_PATH | O_NOFOLLOW, 'link'],
      ['link', true, O_PATH, 'file'],
      ['link', false, O_PATH, 'ELOOP'],
      ['directory/file', true, O_RDONLY, 'content'],
      ['directory/file', false, O_RDONLY, 'ELOOP'],
      ['directory', true, O_RDONLY | O_DIRECTORY, 'directory'],
      ['directory', false, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 'ENOTDIR'],
      ['back', true, O_RDONLY, 'content'],
      ['loop', true, O_RDONLY, 'ELOOP'],
      ['dangling', true, O_RDONLY, 'ENOENT'],
      ['escape', true, O_RDONLY, 'EXDEV'],
      ['absolute', true, O_RDONLY, 'EXDEV'],
      ['../outside', true, O_RDONLY, 'EXDEV'],
      ['deep/../../outside', true, O_RDONLY, 'EXDEV'],
      ['/etc/passwd', true, O_RDONLY, 'EXDEV'],
      ['..', true, O_RDONLY, 'EXDEV'],
      ['link', true, O_WRONLY | O_CREAT | O_EXCL, 'EEXIST'],
    ];
    for (const [path, follow, flags, expected] of cases) {
      test(`${JSON.stringify(path)} with flags ${flags}, ${follow ? '' : 'not '}following links: ${expected}`, () => {
        assert.equal(outcome(path, follow, flags), expected);
      });
    }

    test('a file is created with the mode given', () => {
      const name = `made-${way.replaceAll(' ', '-')}`;
      assert.equal(outcome(`deep/${name}`, false, constants.O_RDWR | O_CREAT | O_EXCL, 0o600), '');
      assert.ok(readdirSync(join(inside, 'deep')).includes(name));
    });

    test('no descriptor is left open', () => {
      const before = readdirSync('/proc/self/fd').length;
      for (const [path, follow, flags] of cases) outcome(path, follow, flags);
      assert.equal(readdirSync('/proc/self/fd').length, before);
    });
  });
}
