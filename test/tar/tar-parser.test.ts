import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byteText } from '../../src/base/byte-text.ts';
import { DunnageError, type DunnageError as Failure } from '../../src/errors/dunnage-error.ts';
import { writePaxRecord } from '../../src/tar/pax-records.ts';
import { TarParser } from '../../src/tar/tar-parser.ts';
import { parseArchive, parseEvents } from './helpers/archives.ts';
import { content, END, extended, headerBlock, octal } from './helpers/header-blocks.ts';

function failure(code: Failure['code'], message: RegExp) {
  return (error: unknown): boolean =>
    error instanceof DunnageError && error.code === code && message.test(error.message);
}
const parse = (...blocks: readonly Buffer[]) => parseArchive(Buffer.concat(blocks), 700);
const record = writePaxRecord;
const file = (name: string, text: string, fields = {}): Buffer =>
  Buffer.concat([headerBlock({ name, size: octal(text.length), ...fields }), content(text)]);

test('global headers hold for all that follow, those of an entry for it alone', () => {
  const global = extended(record('uid', '5') + record('comment', 'x') + record('gid', '6'), 'g');
  const own = extended(record('uid', '7') + record('gid', ''));
  const parsed = parse(global, own, file('a', ''), file('b', ''), END);
  assert.deepEqual(
    parsed.map(({ entry }) => [entry.name, entry.userId, entry.groupId]),
    [
      ['a', 7, 0],
      ['b', 5, 6],
    ],
  );
});

test('long names of GNU are read, and a record says it better', () => {
  const long = 'long/'.repeat(40);
  const name = (type: string, text: string): Buffer =>
    Buffer.concat([headerBlock({ name: '././@LongLink', type, size: octal(text.length + 1) }), content(`${text}\0`)]);
  const [first, second] = parse(
    name('L', `${long}name`),
    name('K', `${long}target`),
    headerBlock({ type: '2', link: 'short' }),
    name('L', 'gnu'),
    extended(record('path', 'pax')),
    file('x', ''),
    END,
  );
  assert.equal(first?.entry.name, `${long}name`);
  assert.equal(first?.entry.linkName, `${long}target`);
  assert.equal(second?.entry.name, 'pax');
});

test('the size of a record counts, the one of a hard link does not', () => {
  const link = headerBlock({ name: 'l', type: '1', link: 'a', size: octal(5000) });
  const sized = Buffer.concat([extended(record('size', '3')), headerBlock({ name: 'a' }), content('abc')]);
  const parsed = parse(sized, link, file('b', 'after'), END);
  assert.deepEqual(
    parsed.map(({ entry, content: bytes }) => [entry.name, entry.type, bytes.toString()]),
    [
      ['a', 'file', 'abc'],
      ['l', 'hard-link', ''],
      ['b', 'file', 'after'],
    ],
  );
});

test('content of what has none is passed over', () => {
  const odd = ['2', '3', '4', '5', '6', 'D'].map((type) => file(type, 'x'.repeat(700), { type, link: 'l' }));
  const parsed = parse(...odd, file('V', '', { type: 'V' }), file('b', 'after'), END);
  assert.equal(parsed.length, 7);
  assert.equal(parsed.at(-1)?.content.toString(), 'after');
});

test('what is behind the end is nobody’s', () => {
  assert.equal(parse(file('a', 'x'), END, file('b', 'y'), Buffer.from('garbage')).length, 1);
});

test('sparse files of every form are the same file', () => {
  const stored = 'AAAABB';
  const map = `${octal(4)}\0${octal(4)}\0${octal(20)}\0${octal(2)}\0`;
  const old = headerBlock({
    name: 'f',
    type: 'S',
    magic: 'ustar  \0',
    size: octal(6),
    sparse: map.padEnd(97, '\0') + octal(30),
  });
  const zero =
    record('GNU.sparse.size', '30') +
    record('GNU.sparse.numblocks', '2') +
    record('GNU.sparse.offset', '4') +
    record('GNU.sparse.numbytes', '4') +
    record('GNU.sparse.offset', '20') +
    record('GNU.sparse.numbytes', '2');
  const first = record('GNU.sparse.size', '30') + record('GNU.sparse.map', '4,4,20,2') + record('GNU.sparse.name', 'f');
  const second =
    record('GNU.sparse.major', '1') +
    record('GNU.sparse.minor', '0') +
    record('GNU.sparse.realsize', '30') +
    record('GNU.sparse.name', 'f');
  const archives = [
    [old, content(stored)],
    [extended(zero), file('f', stored)],
    [extended(first), file('GNUSparseFile.1/x', stored)],
    [extended(second), headerBlock({ name: 'y', size: octal(518) }), content('2\n4\n4\n20\n2\n'), content(stored)],
  ];
  for (const blocks of archives) {
    const [parsed] = parse(...blocks, END);
    assert.equal(parsed?.entry.name, 'f');
    assert.equal(parsed?.content.toString('latin1'), `${'\0'.repeat(4)}AAAA${'\0'.repeat(12)}BB${'\0'.repeat(8)}`);
    assert.deepEqual(parsed?.entry.regions, [
      { offset: 4, sizeBytes: 4 },
      { offset: 20, sizeBytes: 2 },
    ]);
  }
});

test('archives that were cut off are told from whole ones at every byte', () => {
  const whole = Buffer.concat([extended(record('uid', '9')), file('a', 'x'.repeat(600)), file('b', ''), END]);
  for (let length = 0; length < whole.length; length += 1) {
    // One block of zeros is half an end mark, and nothing is missing before it.
    if (length === whole.length - 512) continue;
    assert.throws(
      () => [...parseEvents(whole.subarray(0, length), 4096)],
      failure('CORRUPT', /cut off/),
      String(length),
    );
  }
  assert.equal(parseArchive(whole.subarray(0, whole.length - 512)).length, 2);
  const joined = whole.subarray(0, whole.length - 1024);
  assert.equal(parseArchive(joined, 512, { endMark: 'optional' }).length, 2);
  assert.equal(parseArchive(Buffer.alloc(0), 512, { endMark: 'optional' }).length, 0);
  assert.throws(
    () => parseArchive(joined.subarray(0, 700), 512, { endMark: 'optional' }),
    failure('CORRUPT', /cut off/),
  );
});

const BROKEN: readonly (readonly [string, readonly Buffer[], RegExp])[] = [
  ['no archive at all', [Buffer.alloc(2000, 'text ')], /no tar archive/],
  [
    'a header with a wrong sum',
    [file('a', ''), headerBlock({ sum: 'wrong' })],
    /a header is damaged: its checksum is wrong \(at byte 512\)/,
  ],
  ['a size that is none', [headerBlock({ size: 'abc' })], /size is no number/],
  ['a negative size', [headerBlock({ size: '\xff'.repeat(12) })], /size is negative/],
  ['a negative size in a record', [extended(record('size', '-5')), file('a', '')], /record size is no number/],
  ['a size beyond all numbers', [extended(record('size', '99999999999999999999')), file('a', '')], /record size/],
  ['a time that is none', [extended(record('mtime', 'yesterday')), file('a', '')], /record mtime/],
  ['records that do not end', [extended('99 path=a\n'), file('a', '')], /does not end where it says/],
  ['a NUL in a name', [extended(record('path', 'a\0b')), file('a', '')], /has a NUL/],
  ['no name', [headerBlock({ name: '' })], /has no name/],
  ['a link to nowhere', [headerBlock({ type: '2' })], /does not say where/],
  ['a name without end', [extended(record('path', 'a'.repeat(70_000))), file('a', '')], /too long/],
  ['an extended header at the end', [extended(record('path', 'a')), END], /ends behind an extended header/],
  ['something between the zeros', [Buffer.alloc(512), file('a', '')], /behind its end/],
  [
    'a map longer than its file',
    [extended(record('GNU.sparse.major', '1') + record('GNU.sparse.realsize', '3')), file('a', '')],
    /map of a sparse file is longer/,
  ],
  [
    'pieces that overlap',
    [extended(record('GNU.sparse.map', '0,4,2,2') + record('GNU.sparse.size', '9')), file('a', 'x'.repeat(6))],
    /overlap/,
  ],
  ['a list for nobody', [extended(record('SCHILY.acl.access', 'user:bob:rwx')), file('a', '')], /names "bob"/],
];
for (const [title, blocks, message] of BROKEN) {
  test(`${title} is said to be broken`, () => {
    assert.throws(() => parse(...blocks, END), failure('CORRUPT', message));
  });
}

test('what is not known, or too large, is refused by name', () => {
  assert.throws(() => parse(file('odd', '', { type: 'Z' }), END), failure('NOT_SUPPORTED', /type "Z", "odd"/));
  const huge = headerBlock({ type: 'x', size: octal(9_000_000) });
  assert.throws(() => parse(huge), failure('NOT_SUPPORTED', /headers of more than/));
  const many = Array.from({ length: 9 }, () => extended(record('comment', 'x'.repeat(1_000_000))));
  assert.throws(() => parse(...many), failure('NOT_SUPPORTED', /headers of more than/));
  const version = record('GNU.sparse.major', '2') + record('GNU.sparse.minor', '0');
  assert.throws(() => parse(extended(version), file('a', ''), END), failure('NOT_SUPPORTED', /unknown format/));
});

test('names of attributes that every object has are records like others', () => {
  const [parsed] = parse(extended(record('__proto__', 'x') + record('constructor', 'y')), file('a', ''), END);
  assert.equal(parsed?.entry.name, byteText('a'));
});

test('it holds no more than was fed', () => {
  const parser = new TarParser();
  parser.feed(headerBlock({ size: octal(1_000_000_000) }));
  assert.equal(parser.next()?.kind, 'entry');
  for (let index = 0; index < 1000; index += 1) {
    const piece = Buffer.alloc(1000);
    parser.feed(piece);
    const event = parser.next();
    assert.ok(event?.kind === 'content' && event.bytes.buffer === piece.buffer);
    assert.equal(parser.next(), undefined);
  }
});
