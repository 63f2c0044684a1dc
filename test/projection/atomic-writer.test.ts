/** The atomic writer on a plain directory: the conformance suite, and what only a plain directory has. */
import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import { AtomicWriter } from '../../src/projection/atomic-writer.ts';
import type { Payload } from '../../src/projection/payload.ts';
import type { Published, SwapTarget } from '../../src/projection/swap-target.ts';
import { atomicWriterConformance } from '../conformance/atomic-writer.ts';
import { type AtomicWriterSubject, assertProjected, file, readVisible } from '../conformance/atomic-writer-subject.ts';
import { plantIn } from './support/plant.ts';

async function plainSubject(): Promise<AtomicWriterSubject> {
  const root = await mkdtemp(join(tmpdir(), 'atomic-writer-'));
  const writer = new AtomicWriter(root);
  return {
    root,
    write: (payload) => writer.write(payload),
    listTimestampDirectories: async () => (await readdir(root)).filter((name) => /^\.\.\d/.test(name)),
    cleanup: () => rm(root, { recursive: true, force: true }),
    plant: plantIn(root),
  };
}

atomicWriterConformance('a plain directory', plainSubject, { sequences: 100, canBeDamaged: true });

const OLD = { foo: file('old'), 'bar/baz': file('old') };
const NEW = { foo: file('new'), 'bar/baz': file('new'), more: file('new') };

async function withSubject(check: (subject: AtomicWriterSubject) => Promise<void>): Promise<void> {
  const subject = await plainSubject();
  try {
    await check(subject);
  } finally {
    await subject.cleanup();
  }
}

describe('new AtomicWriter', () => {
  it('takes an existing directory', () => withSubject(async ({ root }) => assert.ok(new AtomicWriter(root))));

  it('refuses a directory that does not exist, and what is no directory', () =>
    withSubject(async ({ root }) => {
      assert.throws(() => new AtomicWriter(join(root, 'missing')), { code: 'NOT_FOUND' });
      await writeFile(join(root, 'file'), '');
      assert.throws(() => new AtomicWriter(join(root, 'file')), { code: 'NOT_A_DIRECTORY' });
      assert.throws(() => new AtomicWriter(join(root, 'file', 'below')), { code: 'NOT_A_DIRECTORY' });
    }));
});

describe('a failing write', () => {
  const BEFORE_PUBLISH = [
    ...['validated', 'swept', 'inspected', 'stage-directory-made', 'stage-directories-made', 'stage-file-written'],
    ...['staged', 'publish-link-staged'],
  ];
  const FROM_PUBLISH = ['publish-renamed', 'published', 'link-made', 'linked', 'done'];

  for (const failing of BEFORE_PUBLISH) {
    it(`at ${failing} leaves the old content and nothing staged`, () =>
      withSubject(async (subject) => {
        const { directoryName } = await subject.write(OLD);
        await assert.rejects(faulty(subject.root, failing).write(NEW), /injected/);
        await assertProjected(subject, OLD, directoryName);
      }));
  }

  for (const failing of FROM_PUBLISH) {
    it(`at ${failing} leaves the new content published, and the next write finishes the work`, () =>
      withSubject(async (subject) => {
        await subject.write(OLD);
        await assert.rejects(faulty(subject.root, failing).write(NEW), /injected/);
        assert.equal(await readFile(join(subject.root, '..data/foo'), 'utf8'), 'new');
        const { changed, directoryName } = await subject.write(NEW);
        assert.equal(changed, false);
        await assertProjected(subject, NEW, directoryName);
      }));
  }

  it('does not keep later writes of the same writer from happening', () =>
    withSubject(async (subject) => {
      const failed = subject.write({ '..bad': file('x') });
      const refused = assert.rejects(failed, { code: 'INVALID_PATH' });
      const { directoryName } = await subject.write(NEW);
      await refused;
      await assertProjected(subject, NEW, directoryName);
    }));

  function faulty(root: string, failing: string): AtomicWriter {
    return new AtomicWriter(root, {
      onStep: (step) => {
        if (step === failing) throw new Error('injected');
      },
    });
  }
});

describe('setPermissions', () => {
  it('runs on the complete directory before it is published', () =>
    withSubject(async ({ root, write }) => {
      await write(OLD);
      const writer = new AtomicWriter(root);
      await writer.write(NEW, async (directoryName) => {
        assert.equal(await readFile(join(root, directoryName, 'bar/baz'), 'utf8'), 'new');
        assert.equal(await readFile(join(root, 'foo'), 'utf8'), 'old');
        await chmod(join(root, directoryName, 'foo'), 0o440);
      });
      assert.equal((await stat(join(root, 'foo'))).mode % 0o10000, 0o440);
    }));

  it('discards what was staged if it fails, and passes its own error on', () =>
    withSubject(async (subject) => {
      const { directoryName } = await subject.write(OLD);
      const own = new Error('no such group');
      await assert.rejects(
        new AtomicWriter(subject.root).write(NEW, () => Promise.reject(own)),
        (error) => error === own,
      );
      await assertProjected(subject, OLD, directoryName);
    }));

  it('owns modes and owners: the same content is not published again for the sake of them', () =>
    withSubject(async ({ root }) => {
      const writer = new AtomicWriter(root);
      const restrict = (directoryName: string): Promise<void> => chmod(join(root, directoryName, 'foo'), 0o440);
      assert.equal((await writer.write(OLD, restrict)).changed, true);
      assert.equal((await writer.write(OLD, restrict)).changed, false);
      assert.equal((await writer.write(OLD)).changed, true);
    }));

  it('is refused by a target that takes permissions from the payload only', async () => {
    const target = recordingTarget([]);
    await assert.rejects(
      new AtomicWriter(target).write(OLD, () => undefined),
      { code: 'NOT_SUPPORTED' },
    );
  });
});

describe('the algorithm', () => {
  it('runs in the order of the newest reference', async () => {
    const calls: string[] = [];
    await new AtomicWriter(recordingTarget(calls)).write({ foo: file('x') });
    assert.deepEqual(calls, ['sweep', 'inspect', 'stage', 'publish', 'links foo- +foo,gone', 'drop']);
  });

  it('only repairs links if nothing is to be written', async () => {
    const calls: string[] = [];
    const target = recordingTarget(calls, { unchanged: true });
    const result = await new AtomicWriter(target).write({ foo: file('x') });
    assert.deepEqual(calls, ['sweep', 'inspect', 'links foo- +foo,gone']);
    assert.deepEqual(result, { changed: false, directoryName: '..2020_01_01_00_00_00.1' });
  });

  it('publishes although something old cannot be swept, and then says so', async () => {
    const calls: string[] = [];
    const failure = new DunnageError('BUSY', 'cannot sweep');
    const target = { ...recordingTarget(calls), sweep: () => Promise.reject(failure) };
    await assert.rejects(new AtomicWriter(target).write({ foo: file('x') }), (error) => error === failure);
    assert.ok(calls.includes('publish'));
  });

  it('reports the first error if discarding fails too', async () => {
    const target = {
      ...recordingTarget([]),
      publish: () => Promise.reject(new DunnageError('NO_SPACE', 'full')),
      discard: () => Promise.reject(new DunnageError('IO', 'broken')),
    };
    await assert.rejects(new AtomicWriter(target).write({ foo: file('x') }), { code: 'NO_SPACE' });
  });

  it('writes of several writers of one directory happen one after another', () =>
    withSubject(async (subject) => {
      const alias = `${subject.root}-alias`;
      await symlink(subject.root, alias);
      try {
        const writers = [
          new AtomicWriter(subject.root),
          new AtomicWriter(alias),
          new AtomicWriter(`${subject.root}/.`),
        ];
        const results = await Promise.all(
          Array.from({ length: 12 }, (_, index) =>
            writers[index % 3]?.write({ foo: file(`${index}`), bar: file(`${index}`) }),
          ),
        );
        assert.ok(results.every((result) => result?.changed));
        const seen = await readVisible(subject.root);
        assert.equal(seen['foo']?.content, seen['bar']?.content);
        assert.equal((await subject.listTimestampDirectories()).length, 1);
      } finally {
        await rm(alias);
      }
    }));

  it('works in a directory that was removed and made again', () =>
    withSubject(async (subject) => {
      await subject.write(OLD);
      await rm(subject.root, { recursive: true });
      await assert.rejects(subject.write(OLD), { code: 'NOT_FOUND' });
      await mkdir(subject.root);
      const { directoryName } = await subject.write(NEW);
      await assertProjected(subject, NEW, directoryName);
    }));
});

/** A target that has `..2020...1` published with a broken `foo` and a stale `gone`, and writes down what it is asked. */
function recordingTarget(calls: string[], options: { readonly unchanged?: boolean } = {}): SwapTarget {
  const published: Published = {
    directoryName: '..2020_01_01_00_00_00.1',
    unchanged: options.unchanged ?? false,
    visibleNames: new Set(['foo', 'gone']),
    brokenNames: new Set(['foo']),
  };
  const note = async (call: string): Promise<void> => void calls.push(call);
  return {
    sweep: () => note('sweep'),
    inspect: async (_payload: Payload) => {
      await note('inspect');
      return published;
    },
    stage: () => note('stage'),
    publish: () => note('publish'),
    discard: () => note('discard'),
    updateLinks: (missing, stale) => note(`links ${missing.join()}- +${stale.join()}`),
    drop: () => note('drop'),
  };
}
