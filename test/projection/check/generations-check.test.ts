import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GenerationId } from '../../../src/base/ids.ts';
import { type ContentNode, contentNodesCodec } from '../../../src/projection/generation-nodes.ts';
import { numberKey } from '../../../src/store/codecs.ts';
import { codes, DamagedCatalog, WEB_FILES } from './damaged-catalog.ts';

function listOf(made: DamagedCatalog, id: GenerationId): ContentNode[] {
  return [...(made.checked.nodes.get(id) as readonly ContentNode[])];
}

test('a record that is missing or cannot be read is made anew: everything it says follows from the rest', async (t) => {
  const made = await DamagedCatalog.make(t);
  for (const [index, id] of made.written.entries()) {
    const before = made.catalog.generation(id);
    for (const damage of [
      () => void made.checked.generations.remove(id),
      () => made.raw('generations').put(numberKey.encode(id), Buffer.from('{"projection":1')),
    ]) {
      made.change(damage);
      assert.ok(codes((await made.check()).remaining).includes('generation-unreadable'));
      assert.deepEqual((await made.check(true)).remaining, []);
      const { createdAtMs, ...rest } = made.catalog.generation(id) as object as Record<string, number>;
      const { createdAtMs: _, ...wanted } = before as object as Record<string, number>;
      assert.deepEqual(rest, wanted, `generation ${index}`);
      assert.equal(createdAtMs, Date.UTC(2026, 10, 18), 'as the name of its directory says');
    }
  }
  assert.deepEqual(await made.files(made.web), WEB_FILES);
});

const LISTS: Readonly<Record<string, (made: DamagedCatalog, id: GenerationId) => void>> = {
  missing: (made, id) => void made.checked.nodes.remove(id),
  truncated: (made, id) => {
    const bytes = contentNodesCodec.encode(listOf(made, id));
    made.raw('generation-nodes').put(numberKey.encode(id), bytes.subarray(0, bytes.length - 5));
  },
  'with a parent that is none': (made, id) => {
    made.checked.nodes.put(
      id,
      listOf(made, id).map((node) => ({ ...node, parent: 77 })),
    );
  },
  'with a name twice': (made, id) => {
    made.checked.nodes.put(id, [...listOf(made, id), ...listOf(made, id)]);
  },
  'with a slash in a name': (made, id) => {
    made.checked.nodes.put(
      id,
      listOf(made, id).map((node) => ({ ...node, name: `${node.name}/x` })),
    );
  },
  'with a reserved name': (made, id) => {
    made.checked.nodes.put(
      id,
      listOf(made, id).map((node) => (node.parent === 0 ? { ...node, name: '..data' } : node)),
    );
  },
  'with a name that is no text': (made, id) => {
    const bytes = Buffer.from(contentNodesCodec.encode(listOf(made, id)));
    bytes[bytes.indexOf('a.txt')] = 0xff;
    made.raw('generation-nodes').put(numberKey.encode(id), bytes);
  },
};

for (const [how, damage] of Object.entries(LISTS)) {
  test(`a list of files that is ${how}: a kept generation goes, a published one is said to be lost`, async (t) => {
    const made = await DamagedCatalog.make(t);
    const [first] = made.written as [GenerationId];
    made.change(() => damage(made, first));
    assert.deepEqual(
      codes((await made.check()).remaining).filter((code) => code.startsWith('generation')),
      ['generation-list-lost'],
    );
    assert.deepEqual((await made.check(true)).remaining, []);
    assert.deepEqual(made.catalog.projection(made.web)?.history, [made.written[2], made.written[1]]);
    assert.deepEqual(await made.files(made.web), WEB_FILES);

    made.change(() => damage(made, made.published));
    assert.deepEqual(codes((await made.check(true)).remaining), ['projection-content-lost']);
    assert.deepEqual((await made.check(true)).repaired, []);
    assert.deepEqual(await made.files(made.secret), { password: 'x' });
  });
}

test('a record that contradicts its list says what the list has', async (t) => {
  const made = await DamagedCatalog.make(t);
  const record = made.catalog.generation(made.published);
  assert(record !== undefined);
  made.change(() => made.checked.generations.put(made.published, { ...record, nodes: 2, files: 9, sizeBytes: 1 }));
  await made.mends(['generation-list-wrong']);
  assert.deepEqual(made.catalog.generation(made.published), record);
});

test('directory names of generations lead to them again, and nowhere else', async (t) => {
  const made = await DamagedCatalog.make(t);
  const { directory } = made.catalog.generation(made.published) as { directory: string };
  made.change(() => made.checked.directories.remove([made.web, directory]));
  await made.mends(['generation-directory-wrong']);
  made.change(() => made.checked.directories.put([made.web, '..other'], made.published));
  made.change(() => made.checked.directories.put([made.web, '..ghost'], 4711));
  await made.mends(['generation-directory-wrong', 'generation-directory-wrong']);
  made.change(() => made.checked.directories.put([made.web, directory], 4711));
  assert.deepEqual((await made.check(true)).remaining, []);
  assert.equal(made.catalog.findGeneration(made.web, directory), made.published);
  assert.equal(made.catalog.findGeneration(made.web, '..other'), undefined);
});

test('a length that is not that of the content is corrected by the content', async (t) => {
  const made = await DamagedCatalog.make(t);
  const wrong = listOf(made, made.published).map((node) => (node.kind === 'file' ? { ...node, sizeBytes: 99 } : node));
  made.change(() => made.checked.nodes.put(made.published, wrong));
  const { remaining } = await made.check();
  assert.ok(codes(remaining).includes('file-size-wrong'));
  assert.deepEqual((await made.check(true)).remaining, []);
  assert.deepEqual(await made.files(made.web), WEB_FILES);
});
