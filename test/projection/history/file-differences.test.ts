import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import { type FileState, fileChanges } from '../../../src/projection/history/file-changes.ts';
import {
  type ContentSource,
  type DifferenceOptions,
  describeDifferences,
  type FileDifference,
} from '../../../src/projection/history/file-differences.ts';
import { type Digest, plainDigest } from '../../../src/store/digest.ts';

class Contents implements ContentSource {
  readonly #known = new Map<string, Uint8Array>();
  readonly #sealed = new Set<string>();
  readonly unreadable = new Set<string>();
  readBytes = 0;

  file(content: string | Uint8Array, mode = 0o644): FileState {
    const bytes = Buffer.from(content);
    const digest = plainDigest(bytes);
    this.#known.set(digest.toString('hex'), bytes);
    return { mode, uid: 0, gid: 0, sizeBytes: bytes.length, digest };
  }

  async read(digest: Digest, offsetBytes: number, sizeBytes: number): Promise<Uint8Array> {
    const bytes = this.#known.get(digest.toString('hex'));
    if (bytes === undefined) throw new DunnageError('CORRUPT', 'damaged');
    this.readBytes += sizeBytes;
    return bytes.subarray(offsetBytes, offsetBytes + sizeBytes);
  }

  /** The same content, stored as that of a Secret. */
  sealed(content: string, mode = 0o644): FileState {
    const bytes = Buffer.from(content);
    const digest = plainDigest(Buffer.from(`key ${content}`));
    this.#known.set(digest.toString('hex'), bytes);
    this.#sealed.add(digest.toString('hex'));
    return { mode, uid: 0, gid: 0, sizeBytes: bytes.length, digest };
  }

  isSealedAway(digest: Digest): boolean {
    return this.unreadable.has(digest.toString('hex'));
  }

  protectionOf(digest: Digest): 'plain' | 'secret' {
    return this.#sealed.has(digest.toString('hex')) ? 'secret' : 'plain';
  }
}

type Files = Record<string, FileState>;

function differences(
  contents: Contents,
  [before, after]: readonly [Files, Files],
  options: Partial<DifferenceOptions> = {},
): Promise<FileDifference[]> {
  const changes = fileChanges(new Map(Object.entries(before)), new Map(Object.entries(after)));
  return describeDifferences({ changes, secret: false, contents, ...options });
}

describe('describeDifferences', () => {
  it('shows text as hunks, with the digests of both sides', async () => {
    const contents = new Contents();
    const [found] = await differences(contents, [{ a: contents.file('1\n') }, { a: contents.file('2\n', 0o600) }]);
    assert.equal(found?.shown, 'text');
    assert.deepEqual(found?.hunks[0]?.lines, ['-1', '+2']);
    assert.deepEqual([found?.before?.mode, found?.after?.mode], [0o644, 0o600]);
    assert.equal(found?.after?.sha256, plainDigest(Buffer.from('2\n')).toString('hex'));
  });

  it('shows added and removed files whole', async () => {
    const contents = new Contents();
    const found = await differences(contents, [{ gone: contents.file('x\n') }, { made: contents.file('y\n') }]);
    assert.deepEqual(
      found.map(({ path, change, hunks }) => [path, change, hunks[0]?.lines]),
      [
        ['gone', 'removed', ['-x']],
        ['made', 'added', ['+y']],
      ],
    );
    assert.deepEqual([found[0]?.after, found[1]?.before], [undefined, undefined]);
  });

  it('reads no content for a change of the mode', async () => {
    const contents = new Contents();
    const [found] = await differences(contents, [{ a: contents.file('1') }, { a: contents.file('1', 0o400) }]);
    assert.deepEqual([found?.content, found?.shown, found?.hunks, contents.readBytes], ['same', 'none', [], 0]);
  });

  for (const [what, content] of [
    ['a zero byte', 'a\0b'],
    ['bytes that are no UTF-8', Buffer.from([0x61, 0xff])],
  ] as const) {
    it(`takes ${what} for binary`, async () => {
      const contents = new Contents();
      const [found] = await differences(contents, [{ a: contents.file('text') }, { a: contents.file(content) }]);
      assert.deepEqual([found?.content, found?.shown, found?.hunks], ['differs', 'binary', []]);
    });
  }

  it('does not read files that are too large, nor more than the whole may be', async () => {
    const contents = new Contents();
    const before = { a: contents.file('12345'), b: contents.file('1'), c: contents.file('2'), d: contents.file('3') };
    const after = { a: contents.file('1234'), b: contents.file('4'), c: contents.file('5'), d: contents.file('6') };
    const found = await differences(contents, [before, after], { textBytesMax: 4, totalBytesMax: 5 });
    assert.deepEqual(
      found.map(({ shown }) => shown),
      ['too-large', 'text', 'text', 'too-large'],
    );
    assert.equal(contents.readBytes, 4);
  });

  it('tells of a Secret neither content nor digest', async () => {
    const contents = new Contents();
    const before = {
      changed: contents.file('hunter1'),
      gone: contents.file('hunter2'),
      mode: contents.file('hunter3'),
    };
    const after = {
      changed: contents.file('hunter44'),
      made: contents.file('hunter5'),
      mode: contents.file('hunter3', 0o400),
    };
    const found = await differences(contents, [before, after], { secret: true });
    assert.deepEqual(
      found.map(({ path, change, content, shown }) => [path, change, content, shown]),
      [
        ['changed', 'modified', 'differs', 'secret'],
        ['gone', 'removed', 'differs', 'secret'],
        ['made', 'added', 'differs', 'secret'],
        ['mode', 'modified', 'same', 'secret'],
      ],
    );
    const told = JSON.stringify(found);
    assert.doesNotMatch(told, /hunter|sha256/);
    for (const { digest } of [...Object.values(before), ...Object.values(after)]) {
      assert.ok(!told.includes(digest.toString('hex')));
    }
    assert.equal(contents.readBytes, 0);
  });

  it('does not claim that a Secret differs if one of the two was sealed with a key that is gone', async () => {
    const contents = new Contents();
    const [old, now, longer] = [contents.file('sealed1'), contents.file('sealed2'), contents.file('sealed 3')];
    contents.unreadable.add(old.digest.toString('hex'));
    const found = await differences(
      contents,
      [
        { a: old, b: old },
        { a: now, b: longer },
      ],
      { secret: true },
    );
    assert.deepEqual(
      found.map(({ content }) => content),
      ['unknown', 'differs'],
    );
  });

  it('compares the bytes where only one of the two was stored as a Secret', async () => {
    const contents = new Contents();
    const before = { same: contents.file('x'), mode: contents.file('x'), other: contents.file('x') };
    const after = { same: contents.sealed('x'), mode: contents.sealed('x', 0o400), other: contents.sealed('y') };
    const found = await differences(contents, [before, after], { secret: true });
    assert.deepEqual(
      found.map(({ path, content }) => [path, content]),
      [
        ['mode', 'same'],
        ['other', 'differs'],
      ],
    );
  });

  it('fails if content cannot be read', async () => {
    const contents = new Contents();
    const lost = { ...contents.file('x'), digest: plainDigest(Buffer.from('lost')) };
    await assert.rejects(differences(contents, [{ a: lost }, { a: contents.file('x') }]), { code: 'CORRUPT' });
  });
});
