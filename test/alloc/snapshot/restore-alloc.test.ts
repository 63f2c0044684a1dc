import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { interruptedRestores, mendRestore, restoreAlloc } from '../../../src/alloc/snapshot/restore-alloc.ts';
import { SnapshotErrorFilename } from '../../../src/alloc/snapshot/snapshot-names.ts';
import { byteText } from '../../../src/base/byte-text.ts';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import { type TarEntry, tarEntry } from '../../../src/tar/entry.ts';
import { isRoot } from '../../tar/helpers/archives.ts';
import { describeTree, treeDifferences } from '../../tar/helpers/describe-tree.ts';
import { makeRichTree } from '../../tar/helpers/rich-tree.ts';
import { type AllocScene, allocScene, fillAlloc, ID, snapshotOf, streamOf } from './helpers/alloc-scene.ts';

const file = (name: string, text: string): readonly [TarEntry, Buffer] => [
  tarEntry({ type: 'file', name: byteText(name), sizeBytes: text.length }),
  Buffer.from(text),
];
const directory = (name: string): readonly [TarEntry] => [
  tarEntry({ type: 'directory', name: byteText(name), mode: 0o755 }),
];

/** All of the alloc, to be compared after something failed. */
const picture = (scene: AllocScene): string[] => describeTree(scene.path);

describe('restoring an alloc', () => {
  it('[S191] gives back to the last attribute what a snapshot holds', async (t) => {
    const scene = allocScene(t);
    for (const name of ['character', 'block']) rmSync(join(scene.path, name), { force: true });
    makeRichTree(join(scene.path, 'alloc/data'), { beyondHeaders: true, sparse: true });
    for (const name of ['character', 'block', 'absolute', 'directory/dangling', 'long-link', 'link-\ufffd'])
      rmSync(join(scene.path, 'alloc/data', name), { force: true });
    const { archive } = await snapshotOf(scene);
    const before = describeTree(join(scene.path, 'alloc/data'), { holes: true });
    rmSync(join(scene.path, 'alloc/data'), { recursive: true });
    mkdirSync(join(scene.path, 'alloc/data'));
    const report = await restoreAlloc(scene, Readable.from([archive]));
    assert.deepEqual(treeDifferences(describeTree(join(scene.path, 'alloc/data'), { holes: true }), before), []);
    assert.deepEqual(report.replaced, ['alloc/data', 'db/local', 'web/local']);
    assert.deepEqual(scene.told, [`${ID}/alloc/data`, `${ID}/db/local`, `${ID}/web/local`]);
    assert.deepEqual(scene.staged(), []);
  });

  it('replaces what the archive has, and leaves the rest', async (t) => {
    const scene = allocScene(t);
    fillAlloc(scene);
    const { replaced } = await restoreAlloc(scene, await streamOf(file('alloc/data/new', 'new')));
    assert.deepEqual(replaced, ['alloc/data']);
    assert.deepEqual(readdirSync(join(scene.path, 'alloc/data')), ['new']);
    assert.equal(readFileSync(join(scene.path, 'web/local/file'), 'utf8'), 'local');
    assert.equal(readFileSync(join(scene.path, 'web/secrets/token'), 'utf8'), 'left out');
    const status = statSync(join(scene.path, 'alloc/data'));
    assert.equal(status.mode & 0o7777, 0o777, 'the archive did not describe it: it is as new allocs have it');
    if (isRoot) assert.equal(status.uid, 65_534);
  });

  it('makes the directory of a task that was not built yet', async (t) => {
    const scene = allocScene(t, ['web', 'late']);
    rmSync(join(scene.path, 'late'), { recursive: true });
    await restoreAlloc(scene, await streamOf(directory('late/local'), file('late/local/x', 'x')));
    assert.equal(readFileSync(join(scene.path, 'late/local/x'), 'utf8'), 'x');
    assert.equal(statSync(join(scene.path, 'late')).mode & 0o7777, 0o777);
  });

  const REFUSED: readonly (readonly [string, readonly (readonly [TarEntry, Buffer?])[], RegExp])[] = [
    ['logs', [file('alloc/logs/web.stdout.0', 'x')], /no part of a snapshot/],
    ['secrets', [file('web/secrets/token', 'x')], /no part of a snapshot/],
    ['an unknown task', [file('other/local/x', 'x')], /no part of a snapshot/],
    ['a file at the top', [file('file', 'x')], /no part of a snapshot/],
    [
      'a link in the place of a directory',
      [[tarEntry({ type: 'symlink', name: byteText('web/local'), linkName: byteText('secrets') })]],
      /no part of a snapshot/,
    ],
    [
      'a hard link to secrets',
      [[tarEntry({ type: 'hard-link', name: byteText('web/local/x'), linkName: byteText('web/secrets/token') })]],
      /escapes alloc dir/,
    ],
    ['`..`', [file('alloc/data/../../x', 'x')], /archive contains object that escapes alloc dir/],
    [
      'an absolute link',
      [[tarEntry({ type: 'symlink', name: byteText('web/local/l'), linkName: byteText('/etc') })]],
      /archive contains symlink that escapes alloc dir/,
    ],
    [
      'a device',
      [[tarEntry({ type: 'block-device', name: byteText('web/local/sda'), deviceMajor: 8 })]],
      /it is a device/,
    ],
    [
      'the error of a snapshot',
      [
        file('alloc/data/x', 'x'),
        file(SnapshotErrorFilename('any'), 'Error snapshotting: no'),
        file('alloc/data/y', 'y'),
      ],
      /Error snapshotting: no$/,
    ],
  ];
  for (const [title, entries, message] of REFUSED) {
    it(`[S193] changes nothing and leaves nothing when the archive has ${title}`, async (t) => {
      const scene = allocScene(t);
      fillAlloc(scene);
      const before = picture(scene);
      await assert.rejects(restoreAlloc(scene, await streamOf(file('alloc/data/first', '1'), ...entries)), message);
      assert.deepEqual(treeDifferences(picture(scene), before), []);
      assert.deepEqual(scene.staged(), []);
      assert.deepEqual(scene.told, []);
    });
  }

  it('takes the directories above those of a snapshot, and none of their attributes', async (t) => {
    const scene = allocScene(t);
    const mode = statSync(join(scene.path, 'alloc')).mode;
    const odd = tarEntry({ type: 'directory', name: byteText('alloc'), mode: 0o000 });
    await restoreAlloc(scene, await streamOf(directory('.'), [odd], file('alloc/data/x', 'x')));
    assert.equal(statSync(join(scene.path, 'alloc')).mode, mode);
  });

  it('changes nothing when the stream breaks off, ends early or is stopped', async (t) => {
    const scene = allocScene(t);
    fillAlloc(scene);
    const { archive } = await snapshotOf(scene);
    const before = picture(scene);
    await assert.rejects(restoreAlloc(scene, Readable.from([archive.subarray(0, 3000)])), { code: 'CORRUPT' });
    const stop = new AbortController();
    const silent = new PassThrough();
    silent.write(archive.subarray(0, 3000));
    const restoring = restoreAlloc(scene, silent, stop.signal);
    setImmediate(() => stop.abort());
    await assert.rejects(restoring, { code: 'INTERRUPTED' });
    assert.deepEqual(treeDifferences(picture(scene), before), []);
    assert.deepEqual(scene.staged(), []);
  });

  it('refuses while something is mounted in what it would replace', async (t) => {
    const scene = allocScene(t);
    scene.mounted.push({ mountPoint: '/somewhere/web/local/db' } as (typeof scene.mounted)[number]);
    await assert.rejects(restoreAlloc(scene, await streamOf(file('web/local/x', 'x'))), {
      code: 'BUSY',
      message: /web\/local\/db/,
    });
  });

  it('leaves what another alloc has in the staging directory, whatever that is called', async (t) => {
    const scene = allocScene(t);
    fillAlloc(scene);
    // As left of an alloc whose id is this one's with a number after a dot.
    const others = join(scene.folder, 'staging', `deleted-restore-${ID}.1`);
    mkdirSync(join(others, 'tree'), { recursive: true });
    mkdirSync(join(scene.folder, 'staging', `deleted-restore-${ID}`));
    await restoreAlloc(scene, await streamOf(file('alloc/data/new', 'new')));
    assert.deepEqual(readdirSync(join(scene.path, 'alloc/data')), ['new']);
    assert.deepEqual(scene.staged(), [`deleted-restore-${ID}`, `deleted-restore-${ID}.1`]);
    assert.deepEqual(readdirSync(others), ['tree']);
  });

  it('tells what was replaced when only what it replaced cannot be removed', {
    skip: isRoot ? false : 'needs root: mounts',
  }, async (t) => {
    const scene = allocScene(t);
    const mounted = join(scene.path, 'alloc/data/m');
    mkdirSync(mounted);
    execFileSync('mount', ['-t', 'tmpfs', 'none', mounted]);
    try {
      await assert.rejects(restoreAlloc(scene, await streamOf(file('alloc/data/new', 'new'))), DunnageError);
      assert.deepEqual(readdirSync(join(scene.path, 'alloc/data')), ['new']);
      assert.deepEqual(scene.told, [`${ID}/alloc/data`]);
    } finally {
      execFileSync('sh', ['-c', 'findmnt -rno TARGET | grep -F "$0/" | xargs -r umount', scene.folder]);
    }
  });

  it('one at a time', async (t) => {
    const scene = allocScene(t);
    const silent = new PassThrough();
    const first = restoreAlloc(scene, silent);
    while (!existsSync(join(scene.folder, 'staging', `restore-${ID}`, 'tree')))
      await new Promise((resolve) => setImmediate(resolve));
    await assert.rejects(restoreAlloc(scene, await streamOf(file('alloc/data/x', 'x'))), { code: 'BUSY' });
    await assert.rejects(mendRestore(scene), { code: 'BUSY' });
    silent.destroy(new Error('gone'));
    await assert.rejects(first, /gone/);
    assert.equal(await mendRestore(scene), 'nothing');
  });

  it('of an alloc that does not exist is an error', async (t) => {
    const scene = allocScene(t);
    await assert.rejects(restoreAlloc({ ...scene, id: 'other' }, await streamOf()), { code: 'NOT_FOUND' });
  });
});

describe('an interrupted restore', () => {
  it('that was not committed is undone', async (t) => {
    const scene = allocScene(t);
    fillAlloc(scene);
    mkdirSync(join(scene.folder, 'staging', `restore-${ID}`, 'tree/alloc/data'), { recursive: true });
    writeFileSync(join(scene.folder, 'staging', `restore-${ID}`, 'commit.new'), 'half a pl');
    const before = picture(scene);
    assert.deepEqual(await interruptedRestores(scene.directory), [ID]);
    assert.equal(await mendRestore(scene), 'undone');
    assert.deepEqual(treeDifferences(picture(scene), before), []);
    assert.deepEqual(scene.staged(), []);
    assert.deepEqual(await interruptedRestores(scene.directory), []);
  });
});
