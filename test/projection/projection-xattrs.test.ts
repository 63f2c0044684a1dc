import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ROOT_NODE_ID } from '../../src/base/ids.ts';
import { GENERATION_ATTRIBUTE, SOURCE_SEEN_ATTRIBUTE } from '../../src/projection/projection-xattrs.ts';
import { caller, TreeHarness, wanted } from './helpers/tree-harness.ts';

let harness: TreeHarness;
beforeEach(async () => {
  harness = await TreeHarness.create();
});
afterEach(() => harness.close());

function attributes(path: string): Record<string, string | undefined> {
  const node = path === '' ? ROOT_NODE_ID : harness.resolve(path);
  assert.ok(node !== undefined);
  const names = harness.tree.listExtendedAttributes(caller, node);
  const value = (name: string): string | undefined => {
    const bytes = harness.tree.getExtendedAttribute(caller, node, name);
    return bytes === undefined ? undefined : Buffer.from(bytes).toString();
  };
  return Object.fromEntries(names.map((name) => [name, value(name)]));
}

describe('extended attributes', () => {
  it('of a projection are its generation and when its source was last read', async () => {
    await harness.service.write(wanted('web', { key: '1' }));
    assert.deepEqual(attributes('web'), {
      [GENERATION_ATTRIBUTE]: '1',
      [SOURCE_SEEN_ATTRIBUTE]: new Date(harness.nowMs).toISOString(),
    });
    harness.nowMs += 5_000;
    await harness.service.write(wanted('web', { key: '2' }));
    assert.deepEqual(attributes('web'), {
      [GENERATION_ATTRIBUTE]: '2',
      [SOURCE_SEEN_ATTRIBUTE]: new Date(harness.nowMs).toISOString(),
    });
  });

  it('say when the source was read and said the same', async () => {
    await harness.service.write(wanted('web', { key: '1' }));
    const firstMs = harness.nowMs;
    harness.nowMs += 500;
    await harness.service.write(wanted('web', { key: '1' }));
    assert.equal(attributes('web')[SOURCE_SEEN_ATTRIBUTE], new Date(firstMs).toISOString());
    harness.nowMs += 500;
    await harness.service.write(wanted('web', { key: '1' }));
    assert.deepEqual(attributes('web'), {
      [GENERATION_ATTRIBUTE]: '1',
      [SOURCE_SEEN_ATTRIBUTE]: new Date(firstMs + 1_000).toISOString(),
    });
  });

  it('of a generation are its number', async () => {
    await harness.service.write(wanted('web', { key: '1' }));
    await harness.service.write(wanted('web', { key: '2' }));
    assert.deepEqual(attributes('web/..data'), { [GENERATION_ATTRIBUTE]: '2' });
  });

  it('of anything else there are none', async () => {
    await harness.service.write(wanted('web', { 'directory/key': '1' }));
    for (const path of ['', 'web/directory', 'web/directory/key']) assert.deepEqual(attributes(path), {});
    assert.equal(harness.tree.getExtendedAttribute(caller, ROOT_NODE_ID, 'security.capability'), undefined);
  });
});
