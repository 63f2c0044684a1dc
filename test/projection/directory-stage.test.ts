import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, open, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { OPEN_DIRECTORY, withBeneath } from '../../src/projection/beneath.ts';
import { flushTree, stageTree, treeMatches } from '../../src/projection/directory-stage.ts';
import { validatePayload } from '../../src/projection/path-rules.ts';
import { expectedTree, file, readTree } from '../conformance/atomic-writer-subject.ts';

const FILES = { foo: file('foo', 0o640), 'a/b/c': file('c', 0o400), 'a/d': file('') };
const NO_STEPS = (): void => undefined;

async function withStaged(check: (path: string, target: number) => Promise<void>): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), 'stage-'));
  const handle = await open(path);
  try {
    await stageTree(handle.fd, 'staged', validatePayload(FILES), NO_STEPS);
    await check(join(path, 'staged'), handle.fd);
  } finally {
    await handle.close();
    await rm(path, { recursive: true });
  }
}

describe('stageTree', () => {
  it('writes exactly the payload, directories 0755', () =>
    withStaged(async (path) => {
      assert.deepEqual(await readTree(path), expectedTree(FILES));
      for (const directory of ['.', 'a', 'a/b']) {
        assert.equal((await stat(join(path, directory))).mode % 0o10000, 0o755);
      }
    }));

  it('refuses a name that exists', () =>
    withStaged(async (_, target) => {
      await assert.rejects(stageTree(target, 'staged', new Map(), NO_STEPS), { code: 'EEXIST' });
    }));

  it('writes many files, a thousand at least', () =>
    withStaged(async (path, target) => {
      const files = Object.fromEntries(
        Array.from({ length: 1000 }, (_, index) => [`d${index % 7}/f${index}`, file(`${index}`)]),
      );
      await stageTree(target, 'many', validatePayload(files), NO_STEPS);
      assert.deepEqual(await readTree(join(path, '../many')), expectedTree(files));
    }));
});

describe('treeMatches', () => {
  const matches = (target: number, contentOnly = false): Promise<boolean> =>
    withBeneath(target, 'staged', OPEN_DIRECTORY, (top) => treeMatches(top, validatePayload(FILES), contentOnly));

  it('is true for what was staged', () => withStaged(async (_, target) => assert.equal(await matches(target), true)));

  const differences: readonly [string, (path: string) => Promise<unknown>, boolean][] = [
    ['other bytes of the same length', (path) => writeFile(join(path, 'foo'), 'bar'), false],
    ['another length', (path) => writeFile(join(path, 'foo'), 'fooo'), false],
    ['a missing file', (path) => rm(join(path, 'foo')), false],
    ['a file more', (path) => writeFile(join(path, 'a/more'), ''), false],
    ['an empty directory more', (path) => mkdir(join(path, 'a/b/more')), false],
    ['a directory for a file', (path) => rm(join(path, 'foo')).then(() => mkdir(join(path, 'foo'))), false],
    [
      'a link with the same content',
      (path) => rm(join(path, 'a/d')).then(() => symlink('/dev/null', join(path, 'a/d'))),
      false,
    ],
    ['another mode', (path) => chmod(join(path, 'foo'), 0o600), true],
    ['a setuid bit', (path) => chmod(join(path, 'foo'), 0o4640), true],
  ];
  for (const [name, damage, equalContent] of differences) {
    it(`notices ${name}`, () =>
      withStaged(async (path, target) => {
        await damage(path);
        assert.equal(await matches(target), false);
        assert.equal(await matches(target, true), equalContent);
      }));
  }
});

it('flushTree leaves everything as it is', () =>
  withStaged(async (path, target) => {
    await chmod(join(path, 'foo'), 0o000);
    await flushTree(target, 'staged');
    assert.deepEqual((await readdir(path)).sort(), ['a', 'foo']);
    assert.equal((await stat(join(path, 'foo'))).mode % 0o10000, 0);
  }));
