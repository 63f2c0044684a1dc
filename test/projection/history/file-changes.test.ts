import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { GenerationId } from '../../../src/base/ids.ts';
import { buildNodes, type FileContent, GenerationNodes } from '../../../src/projection/generation-nodes.ts';
import { fileChanges, fileStates } from '../../../src/projection/history/file-changes.ts';
import { plainDigest } from '../../../src/store/digest.ts';

const file = (text: string, more: Partial<FileContent> = {}): FileContent => ({
  mode: 0o644,
  uid: undefined,
  gid: undefined,
  sizeBytes: text.length,
  digest: plainDigest(Buffer.from(text)),
  ...more,
});

function states(files: Record<string, FileContent>): ReturnType<typeof fileStates> {
  const nodes = new GenerationNodes(100 as GenerationId, buildNodes(new Map(Object.entries(files))));
  return fileStates(nodes.files(), { uid: 0, gid: 0 });
}

describe('fileChanges', () => {
  it('lists what was added, removed and modified, in the order of the paths', () => {
    const before = states({ same: file('1'), 'dir/gone': file('2'), changed: file('3') });
    const after = states({ same: file('1'), 'dir/new': file('2'), changed: file('4') });
    assert.deepEqual(
      fileChanges(before, after).map(({ path, change }) => [path, change]),
      [
        ['changed', 'modified'],
        ['dir/gone', 'removed'],
        ['dir/new', 'added'],
      ],
    );
  });

  it('sees a change of mode or owner alone', () => {
    const before = states({ mode: file('1'), uid: file('1'), gid: file('1') });
    const after = states({ mode: file('1', { mode: 0o600 }), uid: file('1', { uid: 7 }), gid: file('1', { gid: 7 }) });
    assert.deepEqual(
      fileChanges(before, after).map(({ path }) => path),
      ['gid', 'mode', 'uid'],
    );
  });

  it('takes a file without an owner and one of the daemon itself for the same', () => {
    assert.deepEqual(fileChanges(states({ a: file('1') }), states({ a: file('1', { uid: 0, gid: 0 }) })), []);
  });

  it('shows a file that becomes a directory as one removed and one added', () => {
    const changes = fileChanges(states({ a: file('1') }), states({ 'a/b': file('1') }));
    assert.deepEqual(
      changes.map(({ path, change }) => [path, change]),
      [
        ['a', 'removed'],
        ['a/b', 'added'],
      ],
    );
  });
});
