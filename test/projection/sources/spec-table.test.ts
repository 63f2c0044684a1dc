import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type KeptSpec, SpecTable } from '../../../src/projection/sources/spec-table.ts';
import { SealingKey } from '../../../src/store/sealing-key.ts';
import { TreeHarness } from '../helpers/tree-harness.ts';

let harness: TreeHarness;
let table: SpecTable;
beforeEach(async () => {
  harness = await TreeHarness.create();
  table = new SpecTable(harness.store, harness.sealingKey);
});
afterEach(() => harness.close());

const METADATA = { namespace: 'default', name: 'web', labels: { a: '1' }, annotations: {} };
const WHOLE: KeptSpec = {
  metadata: METADATA,
  spec: {
    defaultMode: 0o400,
    fsGroup: { gid: 7, policy: 'Exact' },
    onCollision: 'Warn',
    sources: [
      { kind: 'literal', content: new Map([['k', Buffer.from('literal')]]), prefix: 'p' },
      { kind: 'directory', path: '/srv', optional: true, items: [{ key: 'a', path: 'b' }] },
      { kind: 'literal', content: new Map([['l', Buffer.from([0, 255])]]) },
    ],
    files: [{ path: 'f', data: Buffer.from('inline'), mode: 0o600, uid: 1 }],
  },
};
const BARE: KeptSpec = {
  metadata: METADATA,
  spec: { onCollision: 'Error', sources: [{ kind: 'file', path: '/a', as: 'a' }], files: [] },
};

async function afterReboot(): Promise<SpecTable> {
  const keyFile = join(harness.directory, 'secret.key');
  await rm(keyFile);
  return new SpecTable(harness.store, SealingKey.loadOrCreate(keyFile));
}

describe('SpecTable', () => {
  for (const secret of [false, true]) {
    it(`gives back what was put, ${secret ? 'sealed' : 'plain'}`, () => {
      table.put('web', WHOLE, secret);
      table.put('bare', BARE, secret);
      assert.deepEqual(table.directories(), ['bare', 'web']);
      assert.deepEqual(table.get('web'), WHOLE);
      assert.deepEqual(table.get('bare'), BARE);
      table.remove('web');
      assert.equal(table.get('web'), undefined);
      assert.deepEqual(table.directories(), ['bare']);
    });
  }

  it('takes a replacement back, also of a spec that cannot be read', async () => {
    const undoFirst = table.put('web', WHOLE, true);
    const later = await afterReboot();
    const undo = later.put('web', BARE, false);
    assert.deepEqual(later.get('web'), BARE);
    undo();
    assert.throws(() => later.get('web'), { code: 'AWAITING_SOURCE' });
    assert.deepEqual(table.get('web'), WHOLE);
    undoFirst();
    assert.equal(table.get('web'), undefined);
  });

  it('keeps literal content of a protected projection from whoever has another key, and nothing else', async () => {
    table.put('web', WHOLE, true);
    table.put('bare', BARE, true);
    table.put('plain', WHOLE, false);
    const later = await afterReboot();
    assert.throws(() => later.get('web'), { code: 'AWAITING_SOURCE' });
    assert.deepEqual(later.get('bare'), BARE);
    assert.deepEqual(later.get('plain'), WHOLE);
  });
});
