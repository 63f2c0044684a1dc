import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Content, retainRuns, runsBegun, runsEnded } from '../../src/projection/content-runs.ts';
import { buildNodes, type FileNode } from '../../src/projection/generation-nodes.ts';
import type { Digest } from '../../src/store/digest.ts';
import { CatalogScene } from './helpers/catalog-scene.ts';

type Files = Readonly<Record<string, string>>;

const digestOf = (text: string): Digest => createHash('sha256').update(text).digest() as Digest;

function content(files: Files): Content {
  return buildNodes(
    new Map(
      Object.entries(files).map(([path, text]) => [
        path,
        { mode: 0o644, uid: undefined, gid: undefined, sizeBytes: text.length, digest: digestOf(text) },
      ]),
    ),
  );
}

const names = (files: Iterable<FileNode>): string[] => [...files].map(({ name }) => name).sort();

describe('runs', () => {
  test('the first generation begins one for each file', () => {
    assert.deepEqual(names(runsBegun(content({ a: '1', 'd/b': '1' }), undefined)), ['a', 'b']);
  });

  test('begin where content differs from the generation before at the same path', () => {
    const before = content({ a: '1', b: '2', 'd/c': '3' });
    assert.deepEqual(names(runsBegun(content({ a: '1', b: 'x', 'd/c': '3' }), before)), ['b']);
    assert.deepEqual(names(runsBegun(content({ a: '1', b: '2', c: '3' }), before)), ['c'], 'it moved');
    assert.deepEqual(
      names(runsBegun(content({ 'a/a': '1', b: '2', 'd/c': '3' }), before)),
      ['a'],
      'now in a directory',
    );
  });

  test('end with the only generation that has them, and not while a neighbour has them', () => {
    const [one, two] = [content({ a: '1', b: '2' }), content({ a: '1', b: 'x' })];
    assert.deepEqual(names(runsEnded(one, undefined, two)), ['b']);
    assert.deepEqual(names(runsEnded(two, one, undefined)), ['b']);
    assert.deepEqual(names(runsEnded(one, undefined, undefined)), ['a', 'b']);
  });

  test('that a generation parted become one when it goes', () => {
    const [one, two] = [content({ a: '1' }), content({ a: 'x' })];
    assert.deepEqual(
      [...runsEnded(two, one, one)].map(({ digest }) => digest),
      [digestOf('x'), digestOf('1')],
    );
  });
});

/** Counts as they must be: of a whole chain, from its beginning. */
function counted(chain: readonly Content[]): Map<string, number> {
  const counts = new Map<string, number>();
  chain.forEach((generation, position) => {
    for (const { digest } of runsBegun(generation, chain[position - 1])) add(counts, digest, 1);
  });
  return counts;
}

function add(counts: Map<string, number>, digest: Digest, difference: number): void {
  const name = digest.toString('hex');
  const count = (counts.get(name) ?? 0) + difference;
  if (count === 0) counts.delete(name);
  else counts.set(name, count);
}

test('whatever comes and goes, counting by differences comes to the same as counting anew', () => {
  const payload = fc.dictionary(fc.constantFrom('a', 'b', 'd/c', 'd/e', 'e'), fc.constantFrom('1', '2', '3'));
  const step = fc.oneof(
    payload.map((files) => ({ files })),
    fc.nat({ max: 5 }).map((at) => ({ at })),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const chain: Content[] = [];
      const counts = new Map<string, number>();
      for (const next of steps) {
        if ('files' in next) {
          const added = content(next.files);
          for (const { digest } of runsBegun(added, chain.at(-1))) add(counts, digest, 1);
          chain.push(added);
        } else if (next.at < chain.length) {
          const gone = chain[next.at] as Content;
          for (const { digest } of runsEnded(gone, chain[next.at - 1], chain[next.at + 1])) add(counts, digest, -1);
          chain.splice(next.at, 1);
        }
        assert.deepEqual(counts, counted(chain));
      }
    }),
    { numRuns: 300 },
  );
});

describe('retainRuns', () => {
  test('takes what was prepared, counts what is stored, and leaves nothing prepared', async (t) => {
    const { store, blobs } = new CatalogScene(t);
    const bytes = (text: string): Buffer => Buffer.from(text);
    const first = content({ a: '1', b: '1' });
    const prepared = [await blobs.prepare(bytes('1'), 'plain'), await blobs.prepare(bytes('1'), 'plain')];
    store.transactBuffered(() => retainRuns(first, undefined, prepared, blobs));
    // Nobody prepared '1' for c; somebody prepared it for a, where it is already.
    const second = content({ a: '1', b: '2', c: '1' });
    const more = [await blobs.prepare(bytes('2'), 'plain')];
    store.transactBuffered(() => retainRuns(second, first, more, blobs));
    const third = content({ a: '1', b: '2', c: '1' });
    const again = await blobs.prepare(bytes('2'), 'plain');
    store.transactBuffered(() => retainRuns(third, second, [again], blobs));
    assert.equal(blobs.isInUse(digestOf('2')), false);

    // '1': a in all, b in the first, c in two. '2': b in two.
    for (const [text, references] of [
      ['1', 3],
      ['2', 1],
    ] as const) {
      for (let reference = 0; reference < references; reference += 1) {
        assert.ok(blobs.isReadable(digestOf(text)));
        store.transactBuffered(() => blobs.release(digestOf(text)));
      }
      assert.ok(!blobs.isReadable(digestOf(text)));
    }
  });

  test('refuses content that is nowhere', (t) => {
    const { store, blobs } = new CatalogScene(t);
    const wanted = content({ a: 'lost' });
    assert.throws(() => store.transactBuffered(() => retainRuns(wanted, undefined, [], blobs)), { code: 'NOT_FOUND' });
  });
});
