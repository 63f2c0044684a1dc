import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fileAttributes } from '../../../src/projection/sources/ownership.ts';

describe('fileAttributes', () => {
  it('takes the mode of the file in the manifest, then defaultMode, then its own, then 0644', () => {
    assert.deepEqual(fileAttributes({ mode: 0o400, ownMode: 0o755 }, { defaultMode: 0o600 }), { mode: 0o400 });
    assert.deepEqual(fileAttributes({ ownMode: 0o755 }, { defaultMode: 0o600 }), { mode: 0o600 });
    assert.deepEqual(fileAttributes({ ownMode: 0o755 }, {}), { mode: 0o755 });
    assert.deepEqual(fileAttributes({}, {}), { mode: 0o644 });
    assert.deepEqual(fileAttributes({ mode: 0 }, { defaultMode: 0o600 }), { mode: 0 });
  });

  it('takes the owner of the file, then that of the Projection', () => {
    assert.deepEqual(fileAttributes({ uid: 0 }, { uid: 5, gid: 6 }), { mode: 0o644, uid: 0, gid: 6 });
    assert.deepEqual(fileAttributes({}, { uid: 5, gid: 6 }), { mode: 0o644, uid: 5, gid: 6 });
  });

  for (const [mode, widened] of [
    [0o400, 0o440],
    [0o600, 0o640],
    [0o644, 0o644],
    [0o000, 0o440],
    [0o755, 0o755],
  ] as const) {
    it(`widens ${mode.toString(8)} to ${widened.toString(8)} for fsGroup, and keeps it with Exact`, () => {
      const group = (policy: 'Widen' | 'Exact') => ({ fsGroup: { gid: 2000, policy } });
      assert.deepEqual(fileAttributes({ mode }, group('Widen')), { mode: widened, gid: 2000 });
      assert.deepEqual(fileAttributes({ mode }, group('Exact')), { mode, gid: 2000 });
    });
  }

  it('lets the group of a file win over fsGroup', () => {
    assert.equal(fileAttributes({ gid: 7 }, { fsGroup: { gid: 2000, policy: 'Exact' } }).gid, 7);
  });
});
