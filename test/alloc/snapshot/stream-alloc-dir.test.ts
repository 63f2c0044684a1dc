import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { describe, it, type TestContext } from 'node:test';
import { SNAPSHOT_ERROR_TIME, SnapshotErrorFilename } from '../../../src/alloc/snapshot/snapshot-names.ts';
import { streamAllocDir } from '../../../src/alloc/snapshot/stream-alloc-dir.ts';
import { byteText } from '../../../src/base/byte-text.ts';
import { type TarEntry, tarEntry } from '../../../src/tar/entry.ts';
import { archiveOf, isRoot } from '../../tar/helpers/archives.ts';
import { streamOf } from './helpers/alloc-scene.ts';

const ESCAPING_OBJECT = 'archive contains object that escapes alloc dir';
const ESCAPING_LINK = 'archive contains symlink that escapes alloc dir';

function folders(t: TestContext): { target: string; outside: string } {
  const folder = mkdtempSync('/var/tmp/dunnage-stream-');
  // What Node has for it recurses, and there are deep trees.
  t.after(() => execFileSync('rm', ['-rf', folder]));
  const [target, outside] = [join(folder, 'target'), join(folder, 'outside')];
  mkdirSync(target);
  mkdirSync(outside);
  return { target, outside };
}
const entry = (type: TarEntry['type'], name: string, given: Partial<TarEntry> = {}): TarEntry =>
  tarEntry({ type, name: byteText(name), ...given });
const file = (name: string, text: string, given: Partial<TarEntry> = {}): readonly [TarEntry, Buffer] => [
  entry('file', name, { sizeBytes: text.length, ...given }),
  Buffer.from(text),
];
const link = (name: string, text: string): readonly [TarEntry] => [
  entry('symlink', name, { linkName: byteText(text) }),
];
const hardLink = (name: string, of: string): readonly [TarEntry] => [
  entry('hard-link', name, { linkName: byteText(of) }),
];

describe('StreamAllocDir', () => {
  it('keeps modes and owners', async (t) => {
    const { target } = folders(t);
    const stream = await streamOf(
      [entry('directory', 'foo', { mode: 0o755, userId: 1, groupId: 1 })],
      file('foo/bar', 'x', { mode: 0o644 }),
      link('foo/baz', 'bar'),
    );
    await streamAllocDir(stream, target);
    const status = lstatSync(join(target, 'foo'));
    assert.equal(status.mode & 0o7777, 0o755);
    if (isRoot) assert.deepEqual([status.uid, status.gid], [1, 1]);
    assert.equal(lstatSync(join(target, 'foo/bar')).mode & 0o7777, 0o644);
    assert.equal(readlinkSync(join(target, 'foo/baz')), 'bar');
  });

  it('[S192] fails with the content of an error entry, and keeps what came before', async (t) => {
    const { target } = folders(t);
    const text = 'SENTINEL ERROR';
    const marker = file(SnapshotErrorFilename('other'), text, { mode: 0o666, modifyTime: SNAPSHOT_ERROR_TIME });
    const stream = await streamOf(file('first', 'a'), marker, file('never', 'b'));
    await assert.rejects(streamAllocDir(stream, target), (error: Error) => error.message.endsWith(text));
    assert.equal(lstatSync(join(target, 'first')).size, 1);
    assert.deepEqual(readdirSync(target), ['first']);
  });

  it('refuses a file whose name escapes', async (t) => {
    const { target } = folders(t);
    await assert.rejects(streamAllocDir(await streamOf(file('../escape.txt', 'x')), target), {
      message: ESCAPING_OBJECT,
    });
    await assert.rejects(streamAllocDir(await streamOf(file('/etc/escape.txt', 'x')), target), {
      message: ESCAPING_OBJECT,
    });
    assert.deepEqual(readdirSync(join(target, '..')).sort(), ['outside', 'target']);
  });

  it('refuses links whose target or name escapes', async (t) => {
    const { target, outside } = folders(t);
    for (const bad of [
      link('link', outside),
      link('link', '../escape_attempt'),
      link('../link', 'x'),
      link('a/link', '../../x'),
    ])
      await assert.rejects(streamAllocDir(await streamOf(bad), target), { message: ESCAPING_LINK });
    assert.deepEqual(readdirSync(outside), []);
    assert.equal(readdirSync(target).includes('link'), false);
  });

  it('does not write through a link: the file takes its place', async (t) => {
    const { target, outside } = folders(t);
    await streamAllocDir(await streamOf(link('X', join(outside, 'X')), file('X', 'content')), target);
    assert.equal(readFileSync(join(target, 'X'), 'utf8'), 'content');
    assert.ok(lstatSync(join(target, 'X')).isFile());
    assert.deepEqual(readdirSync(outside), []);
  });

  it('does not write through a link that is there already', async (t) => {
    const { target, outside } = folders(t);
    symlinkSync(join(outside, 'X'), join(target, 'X'));
    await streamAllocDir(await streamOf(file('X', 'content')), target);
    assert.equal(readFileSync(join(target, 'X'), 'utf8'), 'content');
    assert.deepEqual(readdirSync(outside), []);
  });

  const ATTACKS: readonly (readonly [string, readonly (readonly [TarEntry, Buffer?])[], RegExp])[] = [
    ['a file below a link to outside', [link('l', '/tmp'), file('l/x', 'x')], /archive contains object that escapes/],
    [
      'a file below a link to inside',
      [[entry('directory', 'd')], link('l', 'd'), file('l/x', 'x')],
      /link or a file, and no directory/,
    ],
    ['a directory below a file', [file('f', 'x'), [entry('directory', 'f/d')]], /link or a file, and no directory/],
    [
      'a file where a directory is',
      [[entry('directory', 'd')], file('d/x', 'x'), file('d', 'y')],
      /there is a directory of that name/,
    ],
    ['a hard link to outside', [hardLink('h', '../outside/x')], /archive contains object that escapes/],
    ['a hard link to /etc/passwd', [hardLink('h', '/etc/passwd')], /archive contains object that escapes/],
    ['a hard link to what is not there', [hardLink('h', 'none')], /which is not there/],
    ['a hard link to a directory', [[entry('directory', 'd')], hardLink('h', 'd')], /hard link to a directory/],
    ['a hard link through a link', [link('l', '.'), hardLink('h', 'l/x')], /link or a file|not there/],
    [
      'a hard link to a link to outside',
      [link('l', '/tmp'), hardLink('h', 'l')],
      /archive contains symlink that escapes/,
    ],
    [
      'another name of a link, where it leads outside',
      [link('a/b/l', '../..'), hardLink('l', 'a/b/l')],
      /archive contains symlink that escapes/,
    ],
    [
      'a link that leads outside through another',
      [link('a/b/c/l', '../../..'), link('a/b/c/m', 'l/..')],
      /archive contains symlink that escapes/,
    ],
    ['a device', [[entry('character-device', 'null', { deviceMajor: 1, deviceMinor: 3 })]], /it is a device/],
    ['a name of a component without end', [file('x'.repeat(300), 'x')], /name is too long/],
    ['the directory itself as a file', [file('.', 'x')], /the place of the whole directory/],
  ];
  for (const [title, entries, message] of ATTACKS) {
    it(`refuses ${title}`, async (t) => {
      const { target, outside } = folders(t);
      await assert.rejects(streamAllocDir(await streamOf(...entries), target), message);
      assert.deepEqual(readdirSync(outside), []);
      assert.deepEqual(readdirSync(join(target, '..')).sort(), ['outside', 'target']);
    });
  }

  it('takes names that come twice, the last counts; loops and dangling links are links', async (t) => {
    const { target } = folders(t);
    await streamAllocDir(
      await streamOf(
        file('a', 'first'),
        hardLink('b', 'a'),
        file('a', 'second'),
        link('l', 'm'),
        link('m', 'l'),
        link('n', 'none'),
        hardLink('a', 'a'),
      ),
      target,
    );
    assert.equal(readFileSync(join(target, 'a'), 'utf8'), 'second');
    assert.equal(readFileSync(join(target, 'b'), 'utf8'), 'first');
    assert.equal(readlinkSync(join(target, 'l')), 'm');
  });

  it('takes directories of any depth', async (t) => {
    const { target } = folders(t);
    const deep = Array.from({ length: 3000 }, () => 'd').join('/');
    const wide = `${'x'.repeat(200)}/`.repeat(40);
    const { entries } = await streamAllocDir(
      await streamOf(file(`${deep}/file`, 'deep'), file(`${wide}file`, 'wide'), file(`${deep}/again`, '')),
      target,
    );
    assert.equal(entries, 3);
  });

  it('says when sizes lie, and when the stream is cut off or no archive', async (t) => {
    const { target } = folders(t);
    const archive = await archiveOf([file('a', 'x'.repeat(5000))]);
    for (const cut of [0, 100, 512, 3000, archive.length - 1024])
      await assert.rejects(streamAllocDir(Readable.from([archive.subarray(0, cut)]), target), { code: 'CORRUPT' });
    await assert.rejects(streamAllocDir(Readable.from([Buffer.alloc(4096, 'text')]), target), /no tar archive/);
    const failing = new Readable({ read() {} });
    setImmediate(() => failing.destroy(new Error('connection reset')));
    await assert.rejects(streamAllocDir(failing, target), /connection reset/);
  });

  it('stops on request, also while nothing arrives', async (t) => {
    const { target } = folders(t);
    const stop = new AbortController();
    const silent = new PassThrough();
    const streaming = streamAllocDir(silent, target, stop.signal);
    setImmediate(() => stop.abort());
    await assert.rejects(streaming, { code: 'INTERRUPTED' });
    assert.equal(silent.destroyed, true);
  });
});
