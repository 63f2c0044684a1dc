/** A move between two file systems, with real ones. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { AllocDir } from '../../src/alloc/alloc-dir.ts';
import { PlainDirectory } from '../../src/alloc/plain-directory.ts';
import { loadNative } from '../../src/native/load.ts';
import { type AllocScene, allocScene, needsRoot } from './helpers/scene.ts';

const SIZE = 20 * 1024 * 1024;

interface MoveScene extends AllocScene {
  /** On another file system. */
  readonly far: PlainDirectory;
  readonly next: AllocDir;
}

async function scene(context: TestContext): Promise<MoveScene> {
  const near = await allocScene(context, 'old');
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'dunnage-far-')));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=100m', 'none', folder]);
  const far = await PlainDirectory.open({ path: join(folder, 'allocs'), runtimePath: join(folder, 'runtime') });
  const next = new AllocDir({ directory: far, id: 'next' });
  context.after(async () => {
    await next.destroy();
    await far.close();
    loadNative().unmount(folder, true);
    rmdirSync(folder);
  });
  await next.build();
  const task = near.allocDir.newTaskDir('web');
  await task.build({ isolation: 'none' });
  for (const place of [join(near.allocDir.sharedDir, 'data'), task.localDir]) {
    mkdirSync(join(place, 'deep'), { mode: 0o750 });
    writeFileSync(join(place, 'deep/file'), Buffer.alloc(SIZE, 'content'));
    execFileSync(
      'sh',
      ['-c', 'ln deep/file link; chown 12:34 deep/file; touch -d "2001-01-01 00:00:00.123456789" deep/file'],
      {
        cwd: place,
      },
    );
  }
  return { ...near, far, next };
}

function assertMoved({ allocDir, next }: MoveScene): void {
  for (const place of ['alloc/data', 'web/local']) {
    const file = join(next.allocDir, place, 'deep/file');
    const { uid, gid, ino, mtimeNs } = statSync(file, { bigint: true });
    assert.deepEqual([uid, gid, mtimeNs % 1_000_000_000n], [12n, 34n, 123_456_789n], place);
    assert.equal(statSync(join(next.allocDir, place, 'link'), { bigint: true }).ino, ino);
    assert.ok(readFileSync(file).equals(Buffer.alloc(SIZE, 'content')));
    assert.equal(existsSync(join(allocDir.allocDir, place)), false, 'the source is gone');
  }
}

const staged = ({ directory, far }: MoveScene): string[] => [
  ...readdirSync(directory.stagingPath),
  ...readdirSync(far.stagingPath),
];

test(
  '[S157] a move to another file system takes everything along and leaves nothing behind',
  needsRoot,
  async (context) => {
    const both = await scene(context);
    const told: number[] = [];
    await both.next.move(both.allocDir, ['web'], { onProgress: (bytes) => told.push(bytes) });
    assertMoved(both);
    assert.deepEqual(staged(both), []);
    assert.equal(told.at(-1), 2 * SIZE);
    await both.next.move(both.allocDir, ['web']);
  },
);

test(
  '[S157] a move that is stopped leaves what is not moved, and goes on when it is repeated',
  needsRoot,
  async (context) => {
    const both = await scene(context);
    const controller = new AbortController();
    const stopped = both.next.move(both.allocDir, ['web'], {
      signal: controller.signal,
      onProgress: (bytes) => {
        if (bytes >= SIZE) controller.abort();
      },
    });
    await assert.rejects(stopped, { code: 'INTERRUPTED' });
    assert.ok(existsSync(join(both.next.allocDir, 'alloc/data/deep/file')));
    assert.ok(existsSync(join(both.allocDir.allocDir, 'web/local/deep/file')));
    await both.next.move(both.allocDir, ['web']);
    assertMoved(both);
    assert.deepEqual(staged(both), []);
  },
);

/** The first directory is copied in part when the disk is full. Its name in the staging directory. */
async function halfCopied(both: MoveScene): Promise<string> {
  const filler = join(both.far.path, '../filler');
  writeFileSync(filler, Buffer.alloc(90 * 1024 * 1024));
  await assert.rejects(both.next.move(both.allocDir, ['web']), { code: 'NO_SPACE' });
  rmSync(filler);
  const [name] = staged(both);
  assert.ok(name);
  return name;
}

test('[S157] a move that was interrupted within a file goes on with what is there', needsRoot, async (context) => {
  const both = await scene(context);
  const name = await halfCopied(both);
  // Whichever of its two names was the first.
  const names = ['link', 'deep/file'].map((path) => join(both.far.stagingPath, name, path));
  const { ino, size } = statSync(names.find((path) => existsSync(path)) ?? '');
  assert.ok(size > 0);
  await both.next.move(both.allocDir, ['web']);
  assertMoved(both);
  assert.equal(statSync(join(both.next.sharedDir, 'data/deep/file')).ino, ino, 'the same file');
  assert.deepEqual(staged(both), []);
});

test(
  'what was copied whole is not copied again: the steps that a crash has left are made',
  needsRoot,
  async (context) => {
    const both = await scene(context);
    const name = await halfCopied(both);
    // As after a crash between the flush of the copy and the rename: this content can only come from there.
    writeFileSync(join(both.far.stagingPath, name, 'only-in-the-copy'), 'x');
    writeFileSync(join(both.far.stagingPath, `${name}.copied`), '');
    await both.next.move(both.allocDir, []);
    assert.ok(existsSync(join(both.next.sharedDir, 'data/only-in-the-copy')));
    assert.equal(existsSync(join(both.allocDir.sharedDir, 'data')), false);
    assert.deepEqual(staged(both), []);
  },
);

test('a disk that is full is said, and the source is whole', needsRoot, async (context) => {
  const both = await scene(context);
  writeFileSync(join(both.far.path, '../filler'), Buffer.alloc(75 * 1024 * 1024));
  await assert.rejects(both.next.move(both.allocDir, ['web']), { code: 'NO_SPACE' });
  assert.equal(readFileSync(join(both.allocDir.allocDir, 'web/local/link')).length, SIZE);
});

test('a move that would go over something moves nothing at all', needsRoot, async (context) => {
  const moved = await scene(context);
  const task = moved.next.newTaskDir('web');
  await task.build({ isolation: 'none' });
  writeFileSync(join(task.localDir, 'mine'), 'stays');
  await assert.rejects(moved.next.move(moved.allocDir, ['web']), { code: 'NOT_EMPTY', message: /web\/local/ });
  assert.deepEqual(readdirSync(join(moved.next.sharedDir, 'data')), []);
  assert.deepEqual(readdirSync(task.localDir), ['mine']);
  assert.deepEqual(readdirSync(join(moved.allocDir.sharedDir, 'data')).sort(), ['deep', 'link']);
});
