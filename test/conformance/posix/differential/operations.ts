/** Random operations by several users, as lines for an `Actor`. Few names on purpose: so they meet. */
import fc from 'fast-check';
import { USERS } from '../script.ts';

export interface Operation {
  readonly user: string;
  /** A line; `#0` to `#3` stand for descriptors that earlier operations have opened. */
  readonly line: string;
  /** Which of those the result becomes. */
  readonly slot?: number;
}

const SLOTS = 4;
const DIRECTORIES = ['.', 'd', 'd/e', 'g'] as const;
const NAMES = ['a', 'b', 'd', 'e', 'g', 'l'] as const;

const path = fc
  .tuple(fc.constantFrom(...DIRECTORIES), fc.constantFrom(...NAMES))
  .map(([directory, name]) => (directory === '.' ? name : `${directory}/${name}`));
const octal = (value: number): string => `0${value.toString(8)}`;
const mode = fc
  .oneof(
    fc.constantFrom(0o644, 0o755, 0o777, 0o700, 0o600, 0o2775, 0o1777, 0o4755),
    fc.integer({ min: 0, max: 0o7777 }),
  )
  .map(octal);
const id = fc.constantFrom('-1', '0', '61001', '61002', '61003');
const size = fc.constantFrom(0, 1, 10, 4096, 5000, 70000);
const data = fc.constantFrom('text', 'x*100', 'y*5000', 'z*70000', 'empty');
const slot = fc.integer({ min: 0, max: SLOTS - 1 });
const descriptor = slot.map((number) => `#${number}`);
const time = fc.constantFrom('1', '1000.5', '2000.123456789', 'omit', '-7');
const attribute = fc.constantFrom('user.a', 'user.b', 'trusted.a', 'system.other');
const entries = fc.constantFrom(
  'u::rwx,u:61002:rwx,g::r-x,m::rwx,o::---',
  'u::rw-,g::r--,g:61001:rw-,m::rw-,o::r--',
  'u::rwx,g::rwx,o::rwx',
  'u::rw-,u:61002:rw-,g::r--,o::---',
);
/** All with O_NONBLOCK: whoever opens a fifo would wait for somebody else. */
const openFlags = fc.constantFrom(
  'O_RDONLY',
  'O_RDWR',
  'O_WRONLY|O_CREAT',
  'O_RDWR|O_CREAT|O_EXCL',
  'O_WRONLY|O_TRUNC',
  'O_RDWR|O_APPEND|O_CREAT',
  'O_RDONLY|O_DIRECTORY',
  'O_RDONLY|O_NOFOLLOW',
  'O_PATH',
);

const words = (...parts: fc.Arbitrary<string | number>[]): fc.Arbitrary<string> =>
  fc.tuple(...parts).map((values) => values.join(' '));
const word = (text: string): fc.Arbitrary<string> => fc.constant(text);

/** Weight and line. */
const LINES: readonly { weight: number; arbitrary: fc.Arbitrary<string> }[] = [
  { weight: 8, arbitrary: words(word('create'), path, mode, data) },
  { weight: 6, arbitrary: words(word('mkdir'), path, mode) },
  { weight: 3, arbitrary: words(word('rmdir'), path) },
  { weight: 5, arbitrary: words(word('unlink'), path) },
  { weight: 5, arbitrary: words(word('link'), path, path) },
  { weight: 3, arbitrary: words(word('symlink'), fc.constantFrom('a', 'd/b', '../a', 'd', 'l', 'nowhere'), path) },
  { weight: 2, arbitrary: words(word('readlink'), path) },
  { weight: 9, arbitrary: words(word('rename'), path, path, fc.constantFrom('0', '0', '0', '1', '2')) },
  { weight: 4, arbitrary: words(word('chmod'), path, mode) },
  {
    weight: 3,
    arbitrary: words(
      word('chmod'),
      descriptor.map((text) => `@${text}`),
      mode,
    ),
  },
  { weight: 4, arbitrary: words(fc.constantFrom('chown', 'lchown'), path, id, id) },
  { weight: 3, arbitrary: words(word('truncate'), path, size) },
  {
    weight: 2,
    arbitrary: words(
      word('truncate'),
      descriptor.map((text) => `@${text}`),
      size,
    ),
  },
  { weight: 3, arbitrary: words(word('utimens'), path, time, time, fc.constantFrom('0', 'AT_SYMLINK_NOFOLLOW')) },
  {
    weight: 2,
    arbitrary: words(
      word('setxattr'),
      path,
      attribute,
      data.filter((text) => !text.includes('70000')),
    ),
  },
  { weight: 1, arbitrary: words(fc.constantFrom('getxattr', 'removexattr'), path, attribute) },
  { weight: 1, arbitrary: words(word('listxattr'), path) },
  { weight: 2, arbitrary: words(word('setacl'), path, fc.constantFrom('access', 'default'), entries) },
  { weight: 1, arbitrary: words(fc.constantFrom('getacl', 'removeacl'), path, fc.constantFrom('access', 'default')) },
  { weight: 1, arbitrary: words(word('mkfifo'), path, mode) },
  { weight: 1, arbitrary: words(word('mknod'), path, fc.constantFrom('S_IFSOCK', 'S_IFREG'), mode) },
  { weight: 4, arbitrary: words(fc.constantFrom('stat', 'lstat'), path) },
  {
    weight: 2,
    arbitrary: words(
      word('stat'),
      descriptor.map((text) => `@${text}`),
    ),
  },
  { weight: 2, arbitrary: words(word('list'), fc.constantFrom(...DIRECTORIES)) },
  { weight: 1, arbitrary: words(word('access'), path, fc.constantFrom('R_OK', 'W_OK', 'X_OK', 'F_OK')) },
  { weight: 4, arbitrary: words(word('write'), descriptor, data) },
  { weight: 3, arbitrary: words(word('write'), descriptor, data, size) },
  { weight: 4, arbitrary: words(word('read'), descriptor, size) },
  { weight: 1, arbitrary: words(word('lseek'), descriptor, size, fc.constantFrom('SEEK_SET', 'SEEK_CUR')) },
  {
    weight: 1,
    arbitrary: words(word('fallocate'), descriptor, fc.constantFrom('0', 'FALLOC_FL_KEEP_SIZE', '3'), size, size),
  },
  { weight: 1, arbitrary: words(word('copy-range'), descriptor, size, descriptor, size, size) },
  {
    weight: 1,
    arbitrary: words(
      word('link'),
      descriptor.map((text) => `/proc/self/fd/${text}`),
      path,
      word('AT_SYMLINK_FOLLOW'),
    ),
  },
  { weight: 1, arbitrary: words(word('umask'), fc.constantFrom('0', '022', '077')) },
];

const line = fc.oneof(...LINES);
const opening: fc.Arbitrary<Operation> = fc
  .tuple(fc.constantFrom(...Object.keys(USERS)), path, openFlags, mode, slot)
  .map(([user, at, flags, bits, number]) => ({ user, line: `open ${at} ${flags}|O_NONBLOCK ${bits}`, slot: number }));
const tmpfile: fc.Arbitrary<Operation> = fc
  .tuple(fc.constantFrom(...Object.keys(USERS)), fc.constantFrom(...DIRECTORIES), mode, slot)
  .map(([user, at, bits, number]) => ({ user, line: `open ${at} O_TMPFILE|O_RDWR ${bits}`, slot: number }));
const other: fc.Arbitrary<Operation> = fc
  .tuple(fc.constantFrom(...Object.keys(USERS)), line)
  .map(([user, text]) => ({ user, line: text }));

/** So that there is something to meet. */
const START: readonly Operation[] = [
  { user: 'root', line: 'mkdir d 0777' },
  { user: 'alice', line: 'mkdir d/e 01777' },
  { user: 'alice', line: 'mkdir g 02770' },
  { user: 'bob', line: 'create a 0664 text' },
];

export const operations: fc.Arbitrary<readonly Operation[]> = fc
  .array(
    fc.oneof({ weight: 10, arbitrary: opening }, { weight: 1, arbitrary: tmpfile }, { weight: 90, arbitrary: other }),
    { minLength: 10, maxLength: 80 },
  )
  .map((list) => [...START, ...list]);
