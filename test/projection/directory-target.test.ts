/** A plain directory as a target: crashes at every step, the umask, owners, and hostile neighbours. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { AtomicWriter } from '../../src/projection/atomic-writer.ts';
import { DirectoryTarget } from '../../src/projection/directory-target.ts';
import {
  type AtomicWriterSubject,
  assertProjected,
  expectedTree,
  file,
  readTree,
} from '../conformance/atomic-writer-subject.ts';
import { CRASH_NEW, CRASH_OLD } from './support/crash-payloads.ts';

const run = promisify(execFile);
const CHILD = fileURLToPath(new URL('support/crash-child.js', import.meta.url));
const FLUSH_CHILD = fileURLToPath(new URL('support/flush-log-child.js', import.meta.url));
const CHILD_TIMEOUT_MS = 20_000;

/** A target directory inside a directory of its own, so that there is an outside to protect. */
async function withDirectory(check: (subject: AtomicWriterSubject, outside: string) => Promise<void>): Promise<void> {
  const outside = await mkdtemp(join(tmpdir(), 'directory-target-'));
  const root = join(outside, 'target');
  try {
    await mkdir(root);
    const writer = new AtomicWriter(root);
    const subject = {
      root,
      write: writer.write.bind(writer),
      listTimestampDirectories: async () => (await readdir(root)).filter((name) => /^\.\.\d/.test(name)),
      cleanup: async () => undefined,
    };
    await check(subject, outside);
  } finally {
    await rm(outside, { recursive: true, force: true });
  }
}

describe('kill -9 at every step', () => {
  let steps: string[] = [];

  before(() =>
    withDirectory(async ({ root, write }) => {
      await write(CRASH_OLD);
      const { stdout } = await run(process.execPath, [CHILD, root, '0'], { timeout: CHILD_TIMEOUT_MS });
      steps = stdout.trim().split('\n');
    }),
  );

  it('shows the old content or the new, and the next write repairs', async (t) => {
    assert.ok(steps.includes('publish-link-staged') && steps.includes('link-stale-removed'), steps.join());
    const outcomes = new Set<string>();
    for (const [index, step] of steps.entries()) {
      await t.test(`${index + 1}: ${step}`, () =>
        withDirectory(async (subject) => {
          await subject.write(CRASH_OLD);
          const died = await run(process.execPath, [CHILD, subject.root, `${index + 1}`], {
            timeout: CHILD_TIMEOUT_MS,
          }).then(
            () => undefined,
            (error: { signal?: string }) => error.signal,
          );
          assert.equal(died, 'SIGKILL');
          outcomes.add(await assertOldOrNew(subject.root));
          // Going back to the old payload and going on to the new one must both work from here.
          const next = index % 2 === 0 ? CRASH_NEW : CRASH_OLD;
          const { directoryName } = await subject.write(next);
          await assertProjected(subject, next, directoryName);
        }),
      );
    }
    assert.deepEqual([...outcomes].sort(), ['new', 'old'], 'both sides of the publish were hit');
  });

  async function assertOldOrNew(root: string): Promise<string> {
    const tree = JSON.stringify(await readTree(join(root, '..data')), sorted);
    const isOld = tree === JSON.stringify(expectedTree(CRASH_OLD), sorted);
    if (!isOld) assert.equal(tree, JSON.stringify(expectedTree(CRASH_NEW), sorted));
    const version = isOld ? 'old' : 'new';
    // Names that both versions have are never away.
    assert.equal(await readFile(join(root, 'same'), 'utf8'), 'same');
    assert.equal(await readFile(join(root, 'changes'), 'utf8'), version);
    assert.equal(await readFile(join(root, 'zip/a'), 'utf8'), version);
    return version;
  }

  function sorted(_key: string, value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1)));
  }
});

it('flushes content before the rename, and the rename before old content goes', () =>
  withDirectory(async ({ root }) => {
    const { stdout } = await run(process.execPath, [FLUSH_CHILD, root], { timeout: CHILD_TIMEOUT_MS });
    const log = stdout.split('\n');
    const published = await readlink(join(root, '..data'));
    const rename = log.indexOf('rename ..data');
    const before = log.slice(0, rename);
    for (const path of [...Object.keys(CRASH_NEW), 'zip', 'zip/deep', '']) {
      assert.ok(before.includes(`flush ${join(published, path)}`.replace(/\/$/, '')), `${path} in ${before.join()}`);
    }
    assert.equal(before.at(-1), 'flush .', 'the entry of the new directory');
    const old = log.findIndex((line) => line.startsWith('remove '));
    assert.ok(old > rename + 1);
    assert.equal(log[rename + 1], 'flush .', 'the rename');
    assert.equal(log.slice(rename + 2, old).at(-1), 'flush .', 'the links');
  }));

describe('the umask', () => {
  let umask = 0;
  before(() => {
    umask = process.umask();
  });
  after(() => {
    process.umask(umask);
  });

  for (const mask of [0o000, 0o022, 0o077, 0o777]) {
    it(`0${mask.toString(8)} changes no mode`, () =>
      withDirectory(async (subject) => {
        process.umask(mask);
        const files = { a: file('a', 0o777), b: file('b', 0o666), 'c/d/e': file('e', 0o444) };
        const { directoryName } = await subject.write(files);
        await assertProjected(subject, files, directoryName);
        for (const path of ['c', 'c/d']) {
          assert.equal((await stat(join(subject.root, '..data', path))).mode % 0o10000, 0o755);
        }
      }));
  }
});

describe('owners', { skip: process.getuid?.() === 0 ? false : 'only root can give files away' }, () => {
  it('are given before the content is visible, and a change of owner alone is a swap', () =>
    withDirectory(async ({ root, write }) => {
      const owned = { foo: { ...file('x'), uid: 1234, gid: 2345 } };
      assert.equal((await write(owned)).changed, true);
      const { uid, gid } = await stat(join(root, 'foo'));
      assert.deepEqual({ uid, gid }, { uid: 1234, gid: 2345 });
      assert.equal((await write(owned)).changed, false);
      assert.equal((await write({ foo: { ...file('x'), uid: 1234, gid: 2346 } })).changed, true);
      assert.equal((await write({ foo: file('x') })).changed, true);
      assert.equal((await stat(join(root, 'foo'))).uid, process.getuid?.());
      assert.equal((await write({ foo: file('x') })).changed, false);
    }));

  it('of only one kind leave the other alone', () =>
    withDirectory(async ({ root, write }) => {
      const files = { foo: { ...file('x'), gid: 2345 } };
      await write(files);
      const { uid, gid } = await stat(join(root, 'foo'));
      assert.deepEqual({ uid, gid }, { uid: process.getuid?.(), gid: 2345 });
      assert.equal((await write(files)).changed, false);
    }));

  it('of a target with setgid do not make every write a swap', () =>
    withDirectory(async ({ root, write }) => {
      await chown(root, 0, 2345);
      await chmod(root, 0o2775);
      await write({ 'a/b': file('x'), c: file('y') });
      assert.equal((await write({ 'a/b': file('x'), c: file('y') })).changed, false);
    }));
});

describe('hostile neighbours', () => {
  it('a ..data that leads outside is not read through, not emptied, and replaced', () =>
    withDirectory(async (subject, outside) => {
      const victim = join(outside, 'victim');
      for (const target of [victim, '../victim', '..real/sub', '.', '..', 'plain', '..data', '..data_tmp']) {
        await rm(victim, { recursive: true, force: true });
        await mkdir(victim);
        await writeFile(join(victim, 'foo'), 'x');
        await rm(subject.root, { recursive: true });
        await mkdir(join(subject.root, '..real/sub'), { recursive: true });
        await mkdir(join(subject.root, 'plain'));
        await writeFile(join(subject.root, 'plain/kept'), 'kept');
        await symlink(target, join(subject.root, '..data'));
        const { changed, directoryName } = await subject.write({ foo: file('x') });
        assert.equal(changed, true, target);
        assert.equal(await readlink(join(subject.root, '..data')), directoryName);
        assert.equal(await readFile(join(victim, 'foo'), 'utf8'), 'x');
        assert.equal(await readFile(join(subject.root, 'plain/kept'), 'utf8'), 'kept');
      }
    }));

  it('a link inside the published directory is neither read nor written nor removed through', () =>
    withDirectory(async (subject, outside) => {
      const victim = join(outside, 'victim');
      await mkdir(victim);
      await writeFile(join(victim, 'a'), 'x');
      const { directoryName } = await subject.write({ 'zip/a': file('x'), top: file('x') });
      // The same bytes behind a link: were it followed, nothing would have changed.
      await rm(join(subject.root, directoryName, 'zip'), { recursive: true });
      await symlink(victim, join(subject.root, directoryName, 'zip'));
      await rm(join(subject.root, directoryName, 'top'));
      await symlink(join(victim, 'a'), join(subject.root, directoryName, 'top'));
      const second = await subject.write({ 'zip/a': file('x'), top: file('x') });
      assert.equal(second.changed, true);
      await assertProjected(subject, { 'zip/a': file('x'), top: file('x') }, second.directoryName);
      assert.deepEqual(await readdir(victim), ['a']);
    }));

  it('a published directory that became a link outside is no old version', () =>
    withDirectory(async (subject, outside) => {
      const { directoryName } = await subject.write({ foo: file('x') });
      await rm(join(subject.root, directoryName), { recursive: true });
      const victim = join(outside, 'victim');
      await mkdir(victim);
      await writeFile(join(victim, 'foo'), 'x');
      await symlink(victim, join(subject.root, directoryName));
      const second = await subject.write({ foo: file('x') });
      assert.equal(second.changed, true);
      assert.equal(await readFile(join(victim, 'foo'), 'utf8'), 'x');
      // The link under the old name is an orphan for the next write.
      await subject.write({ foo: file('x') });
      await assertProjected(subject, { foo: file('x') }, second.directoryName);
      assert.deepEqual(await readdir(victim), ['foo']);
    }));

  it('a planted FIFO does not hang the writer', () =>
    withDirectory(async (subject) => {
      const { directoryName } = await subject.write({ foo: file('x') });
      await rm(join(subject.root, directoryName, 'foo'));
      await run('mkfifo', [join(subject.root, directoryName, 'foo')]);
      const second = await subject.write({ foo: file('x') });
      await assertProjected(subject, { foo: file('x') }, second.directoryName);
    }));

  it('files that were never projected stay', () =>
    withDirectory(async ({ root, write }) => {
      await writeFile(join(root, 'README'), 'mine');
      await mkdir(join(root, 'lost+found'));
      await symlink('README', join(root, 'link'));
      await symlink('..other', join(root, '..custom'));
      await write({ foo: file('x') });
      await write({});
      assert.deepEqual((await readdir(root)).filter((name) => !/^\.\.\d/.test(name)).sort(), [
        '..custom',
        '..data',
        'README',
        'link',
        'lost+found',
      ]);
    }));

  it('a directory with content where a name belongs is refused before anything is written', () =>
    withDirectory(async ({ root, write, listTimestampDirectories }) => {
      await mkdir(join(root, 'foo'));
      await writeFile(join(root, 'foo/precious'), 'mine');
      await assert.rejects(write({ foo: file('x') }), {
        code: 'NOT_EMPTY',
        message: /"foo" is a directory with content/,
      });
      assert.deepEqual(await listTimestampDirectories(), []);
      assert.equal(await readFile(join(root, 'foo/precious'), 'utf8'), 'mine');
    }));

  it('a directory in the place of ..data is refused with the way out', () =>
    withDirectory(async ({ root, write }) => {
      await mkdir(join(root, '..data'));
      await assert.rejects(write({ foo: file('x') }), { code: 'IS_A_DIRECTORY', remedy: /move .*\.\.data away/ });
    }));
});

describe('DirectoryTarget', () => {
  it('keeps a staged directory private until it is complete', () =>
    withDirectory(async ({ root }) => {
      const modes = new Set<number>();
      const writer = new AtomicWriter(root, {
        onStep: async (step) => {
          if (!step.startsWith('stage-')) return;
          const [name = ''] = (await readdir(root)).filter((entry) => entry.startsWith('..2'));
          modes.add((await lstat(join(root, name))).mode % 0o10000);
        },
      });
      await writer.write({ 'a/b': file('x') });
      assert.deepEqual([...modes], [0o700]);
    }));

  it('takes paths up to what the system can open, and says what is too long', () =>
    withDirectory(async (subject) => {
      const long = `${'d/'.repeat(1500)}file`;
      const { directoryName } = await subject.write({ [long]: file('x') });
      assert.equal((await subject.write({ [long]: file('x') })).changed, false);
      await assert.rejects(
        subject.write({
          ['d'
            .repeat(4095)
            .replace(/(.{200})/g, '$1/')
            .slice(0, 4096)]: file('x'),
        }),
        {
          code: 'NAME_TOO_LONG',
        },
      );
      assert.deepEqual(await subject.listTimestampDirectories(), [directoryName]);
      const emptied = await subject.write({});
      await assertProjected(subject, {}, emptied.directoryName);
    }));

  it('refuses to be used outside exclusively()', () =>
    withDirectory(async ({ root }) => {
      await assert.rejects(new DirectoryTarget(root).sweep(), { code: 'INTERNAL' });
    }));
});
