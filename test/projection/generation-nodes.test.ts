import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { GenerationId } from '../../src/base/ids.ts';
import {
  buildNodes,
  contentNodesCodec,
  DIRECTORY_INDEX,
  type FileContent,
  GenerationNodes,
  nodeCount,
} from '../../src/projection/generation-nodes.ts';
import { plainDigest } from '../../src/store/digest.ts';

const content = (text: string, more: Partial<FileContent> = {}): FileContent => ({
  mode: 0o644,
  uid: undefined,
  gid: undefined,
  sizeBytes: text.length,
  digest: plainDigest(Buffer.from(text)),
  ...more,
});

const ID = 100 as GenerationId;

describe('buildNodes', () => {
  it('puts parents before children and numbers them from 2', () => {
    const nodes = new GenerationNodes(
      ID,
      buildNodes(
        new Map([
          ['a/b/c', content('x')],
          ['a/d', content('y')],
          ['e', content('z')],
        ]),
      ),
    );
    assert.deepEqual([...(nodes.children(DIRECTORY_INDEX)?.keys() ?? [])], ['a', 'e']);
    const a = nodes.children(DIRECTORY_INDEX)?.get('a') as number;
    assert.equal(nodes.node(a)?.kind, 'directory');
    assert.deepEqual([...(nodes.children(a)?.keys() ?? [])], ['b', 'd']);
    assert.equal(nodes.directoryCount(DIRECTORY_INDEX), 1);
    assert.equal(nodes.nodeId(a), ID + a);
    assert.equal(nodeCount(nodes.content), 2 + 5);
  });

  it('gives an empty payload a directory without names', () => {
    const nodes = new GenerationNodes(ID, buildNodes(new Map()));
    assert.equal(nodes.children(DIRECTORY_INDEX)?.size, 0);
  });
});

describe('contentNodesCodec', () => {
  const name = fc.stringMatching(/^[aé-]{1,3}$/);
  const file = fc.record({
    mode: fc.integer({ min: 0, max: 0o777 }),
    uid: fc.option(fc.integer({ min: 0, max: 0xfffffffe }), { nil: undefined }),
    gid: fc.option(fc.integer({ min: 0, max: 0xfffffffe }), { nil: undefined }),
    sizeBytes: fc.integer({ min: 0, max: 2 ** 47 }),
    text: fc.string(),
  });

  it('round-trips every tree of files', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => `d/${parts.join('/')}/f`),
          file,
        ),
        (files) => {
          const map = new Map(
            Object.entries(files).map(([path, { text, ...more }]) => [path, content(text, more)] as const),
          );
          const nodes = buildNodes(map);
          const decoded = contentNodesCodec.decode(contentNodesCodec.encode(nodes));
          assert.deepEqual(decoded, nodes);
          const paths = [...new GenerationNodes(ID, decoded).files()].map(
            ({ path, file: { kind, parent, name: _, ...rest } }) => [path, rest],
          );
          assert.deepEqual(new Map(paths as never), map);
        },
      ),
    );
  });

  it('refuses a truncated record', () => {
    const bytes = contentNodesCodec.encode(buildNodes(new Map([['a/b', content('x')]])));
    assert.throws(() => contentNodesCodec.decode(bytes.subarray(0, bytes.length - 1)), { code: 'CORRUPT' });
  });
});
