/** The tables of payloads the reference's own tests pin, and those of its odd states. */
import { type Files, file } from './atomic-writer-subject.ts';

const ELF_HEAD = Uint8Array.from(
  Buffer.from(
    '7f454c4602010100000000000000000002003e0001000000a015400000000000400000000000000068d40100000000000000000040003800' +
      '0900400020001f00060000000500000040000000000000004000400000000000400040000000000000f801000000000000f8010000000000' +
      '000800000000000000030000'.padEnd(26, '0'),
    'hex',
  ),
).subarray(0, 125);

export interface WriteCase {
  readonly name: string;
  readonly payload: Files;
  /** What shall be visible; undefined: the payload itself. */
  readonly visible?: Files;
}

export const DEEP_PATH = 'a/1/2/3/4/5/6/7/8/9/deep.txt';

export const WRITE_CASES: readonly WriteCase[] = [
  { name: 'two files', payload: { foo: file('foo'), bar: file('bar') } },
  {
    name: 'binary content, also of a dotfile',
    payload: { 'binary.bin': file(ELF_HEAD), '.binary.bin': file(ELF_HEAD) },
  },
  { name: 'an empty file', payload: { empty: file('') } },
  {
    name: 'exact modes',
    payload: {
      all: file('a', 0o777),
      owner: file('b', 0o400),
      odd: file('c', 0o407),
      group: file('d', 0o440),
      write: file('e', 0o666),
      sub: file('f', 0o600),
    },
  },
  { name: 'dotfiles', payload: { '.foo': file('foo'), '.bar': file('bar') } },
  {
    name: 'directories',
    payload: {
      'foo/bar.txt': file('foo/bar'),
      'bar/zab.txt': file('bar/zab.txt'),
      'foo/blaz/bar.txt': file('foo/blaz/bar'),
      'bar/zib/zab.txt': file('bar/zib/zab.txt'),
    },
  },
  {
    name: 'paths that are not clean',
    payload: { 'foo//bar.txt': file('foo//bar'), 'bar///bar/zab.txt': file('zab'), './dot/./x': file('x') },
    visible: { 'foo/bar.txt': file('foo//bar'), 'bar/bar/zab.txt': file('zab'), 'dot/x': file('x') },
  },
  { name: 'a name beginning with .. below the top', payload: { 'foo/..bar': file('x'), 'foo/..data': file('y') } },
  { name: 'names of many bytes', payload: { ['ä'.repeat(127)]: file('x'), 'naïve/日本語.txt': file('y') } },
  {
    name: 'everything at once',
    payload: {
      '.dot': file('dot', 0o444),
      'foo/bar.txt': file('foo/bar'),
      [DEEP_PATH]: file('deep', 0o777),
      'a/2/x': file('x', 0o640),
    },
  },
  { name: 'nothing', payload: {} },
];

export interface RefusedCase {
  readonly name: string;
  readonly payload: Files;
  readonly code: string;
  readonly message: RegExp;
}

const refused = (name: string, keys: readonly string[], code: string, message: RegExp): RefusedCase => ({
  name,
  payload: Object.fromEntries(keys.map((key) => [key, file('x')])),
  code,
  message,
});

export const REFUSED_CASES: readonly RefusedCase[] = [
  refused('an empty path', [''], 'INVALID_PATH', /must not be empty/),
  refused('an absolute path', ['/dev/null'], 'INVALID_PATH', /must be relative path: \/dev\/null/),
  refused('a path too long', [`${'a/'.repeat(2048)}a`], 'NAME_TOO_LONG', /less than or equal to 4096 characters/),
  refused('a name too long', ['a'.repeat(256)], 'NAME_TOO_LONG', /less than or equal to 255 characters/),
  refused('a name too long in bytes', ['ä'.repeat(128)], 'NAME_TOO_LONG', /less than or equal to 255 characters/),
  refused('climbing', ['foo/../bar'], 'INVALID_PATH', /must not contain '\.\.'/),
  refused('climbing far', ['hello/there/../../../../../../etc/passwd'], 'INVALID_PATH', /must not contain '\.\.'/),
  refused('a reserved name', ['..bar'], 'INVALID_PATH', /must not start with '\.\.'/),
  refused('a reserved name, not clean', ['./..data'], 'INVALID_PATH', /must not start with '\.\.'/),
  refused('the directory itself', ['.'], 'INVALID_PATH', /must name a file/),
  refused('NUL', ['a\0b'], 'INVALID_PATH', /NUL/),
  refused('two keys for one file', ['foo//bar', 'foo/bar'], 'INVALID_PATH', /"foo\/\/bar" and "foo\/bar"/),
  refused('a file that is a directory', ['foo/bar', 'foo'], 'INVALID_PATH', /"foo" is a file and "foo\/bar"/),
];

export interface UpdateCase {
  readonly name: string;
  readonly first: Files;
  readonly second: Files;
  readonly changed: boolean;
}

const foo = file('foo');
const bar = file('bar');

export const UPDATE_CASES: readonly UpdateCase[] = [
  {
    name: 'new content and mode',
    first: { foo, bar },
    second: { foo: file('foo2', 0o640), bar: file('bar2', 0o640) },
    changed: true,
  },
  { name: 'identical', first: { foo, bar }, second: { foo, bar }, changed: false },
  { name: 'identical, nested', first: { 'a/b/foo': foo, bar }, second: { bar, 'a/b/foo': foo }, changed: false },
  { name: 'nothing again', first: {}, second: {}, changed: false },
  { name: 'one byte of many', first: { foo: file('aaaa') }, second: { foo: file('aaab') }, changed: true },
  { name: 'the mode alone', first: { foo, bar }, second: { foo: file('foo', 0o600), bar }, changed: true },
  { name: 'a file in a new directory', first: { foo }, second: { foo, 'zip/bar': bar }, changed: true },
  { name: 'a file in a new deep directory', first: { foo }, second: { foo, 'z/i/p/bar': bar }, changed: true },
  {
    name: 'a file in an old directory',
    first: { 'zip/foo': foo },
    second: { 'zip/foo': foo, 'zip/bar': bar },
    changed: true,
  },
  { name: 'a file less', first: { foo, bar }, second: { foo }, changed: true },
  { name: 'a directory less', first: { foo, 'zip/bar': bar }, second: { foo }, changed: true },
  {
    name: 'a file of a directory less',
    first: { 'zip/foo': foo, 'zip/bar': bar },
    second: { 'zip/foo': foo },
    changed: true,
  },
  {
    name: 'a deep tree less',
    first: { 'zap/1/2/3/4/bar.txt': bar, 'zap/1/2/c/bar.txt': bar, 'zap/1/2/magic.txt': foo },
    second: { 'zap/1/2/magic.txt': foo },
    changed: true,
  },
  { name: 'everything less', first: { foo, 'zip/bar': bar }, second: {}, changed: true },
  { name: 'one more and one less', first: { foo, bar }, second: { foo, 'bar.txt': bar }, changed: true },
  { name: 'a file becomes a directory', first: { foo }, second: { 'foo/bar': bar }, changed: true },
  { name: 'a directory becomes a file', first: { 'foo/bar': bar }, second: { foo }, changed: true },
];

export interface SequenceCase {
  readonly name: string;
  /** Written one after another; keys may be unclean, `visible` gives the clean picture. */
  readonly steps: readonly WriteCase[];
}

export const SEQUENCE_CASES: readonly SequenceCase[] = [
  {
    name: 'content and modes change together',
    steps: [
      { name: 'first', payload: { foo: file('1', 0o644), bar: file('1', 0o644) } },
      { name: 'second', payload: { foo: file('2', 0o400), bar: file('2', 0o400) } },
      { name: 'third', payload: { foo: file('3', 0o600), bar: file('3', 0o600) } },
    ],
  },
  {
    name: 'keys come and go',
    steps: [
      { name: 'first', payload: { foo, bar } },
      { name: 'more', payload: { foo, bar, 'blu/two.txt': file('two'), 'cat/dog': file('dog') } },
      { name: 'less', payload: { 'blu/two.txt': file('two') } },
      { name: 'back', payload: { foo, 'blu/three.txt': file('three') } },
      { name: 'none', payload: {} },
    ],
  },
  {
    name: 'unclean paths',
    steps: [
      { name: 'first', payload: { 'foo//a': foo }, visible: { 'foo/a': foo } },
      { name: 'second', payload: { './foo/a': foo, 'foo///b/': bar }, visible: { 'foo/a': foo, 'foo/b': bar } },
      { name: 'third', payload: { 'foo/./b': bar }, visible: { 'foo/b': bar } },
    ],
  },
];
