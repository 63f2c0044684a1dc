import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { isInside, readHostSource } from '../../../src/projection/sources/host-source.ts';
import type { SourceContent } from '../../../src/projection/sources/source-content.ts';
import type { DirectorySource, FileSource } from '../../../src/projection/sources/source-spec.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dunnage-host-source-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** With a clock that is late at once there is no waiting for writers. */
function read(source: FileSource | DirectorySource, clock = systemClock): Promise<SourceContent> {
  const signal = new AbortController().signal;
  return readHostSource(source, { clock, mountPoint: join(folder, 'mnt'), signal });
}

const file = (name: string, more: Partial<FileSource> = {}): FileSource => ({
  kind: 'file',
  path: join(folder, name),
  as: 'conf/app',
  ...more,
});
const directory = (name: string, more: Partial<DirectorySource> = {}): DirectorySource => ({
  kind: 'directory',
  path: join(folder, name),
  ...more,
});

describe('readHostSource', () => {
  it('reads a file, also through links, with its own mode', async () => {
    writeFileSync(join(folder, 'real'), 'x', { mode: 0o640 });
    symlinkSync('real', join(folder, 'link'));
    const { files } = await read(file('link', { uid: 5 }));
    assert.deepEqual([...files], [['conf/app', { content: Buffer.from('x'), ownMode: 0o640, uid: 5 }]]);
  });

  it('picks items of a directory by their paths', async () => {
    mkdirSync(join(folder, 'd/sub'), { recursive: true });
    writeFileSync(join(folder, 'd/sub/a'), '1');
    writeFileSync(join(folder, 'd/b'), '2');
    const items = [{ key: 'sub/a', path: 'only', mode: 0o400 }];
    const { files } = await read(directory('d', { items, prefix: 'p' }));
    assert.deepEqual([...files.keys()], ['p/only']);
    assert.equal(files.get('p/only')?.mode, 0o400);
  });

  const refused: readonly (readonly [string, () => FileSource | DirectorySource, string, RegExp])[] = [
    ['a file that is missing', () => file('gone'), 'NOT_FOUND', /gone does not exist/],
    ['a directory that is missing', () => directory('gone'), 'NOT_FOUND', /gone does not exist/],
    ['a directory as a file', () => file('d'), 'IS_A_DIRECTORY', /d is a directory/],
    ['a file as a directory', () => directory('f'), 'NOT_A_DIRECTORY', /cannot read .*\/f/],
    ['a device', () => ({ ...file('f'), path: '/dev/null' }), 'INVALID_ARGUMENT', /no regular file/],
    ['our own tree', () => directory('mnt/projections/web'), 'INVALID_ARGUMENT', /tree of dunnage itself/],
  ];
  for (const [what, source, code, message] of refused) {
    it(`refuses ${what}`, async () => {
      mkdirSync(join(folder, 'd'));
      writeFileSync(join(folder, 'f'), '');
      await assert.rejects(read(source()), { code, message });
    });
  }

  it('takes a missing source that is optional for empty, and still refuses what is wrong', async () => {
    assert.equal((await read(file('gone', { optional: true }))).files.size, 0);
    assert.equal((await read(directory('gone', { optional: true }))).files.size, 0);
    mkdirSync(join(folder, 'd'));
    await assert.rejects(read(file('d', { optional: true })), { code: 'IS_A_DIRECTORY' });
  });

  it('waits until nobody has a file open for writing, and reads what was written then', async () => {
    const path = join(folder, 'f');
    writeFileSync(path, 'half');
    const writer = await open(path, 'a');
    const reading = read(file('f'));
    await new Promise((resolve) => setTimeout(resolve, 60));
    await writer.write(' and half');
    await writer.close();
    assert.equal(String((await reading).files.get('conf/app')?.content), 'half and half');
  });

  it('takes a file that stays open for writing as it is, once it has waited long enough', async () => {
    const path = join(folder, 'f');
    writeFileSync(path, 'log');
    const writer = await open(path, 'a');
    let nowMs = 0;
    const clock = { nowMs: () => 0, monotonicMs: () => (nowMs += 3_000) };
    try {
      assert.equal(String((await read(file('f'), clock)).files.get('conf/app')?.content), 'log');
    } finally {
      await writer.close();
    }
  });
});

describe('isInside', () => {
  it('knows what lies in a directory from what only begins like it', () => {
    assert.deepEqual(
      ['/a/b', '/a/b/c', '/a/b/..c', '/a/bc', '/a', '/'].map((path) => isInside(path, '/a/b')),
      [true, true, true, false, false, false],
    );
  });
});
