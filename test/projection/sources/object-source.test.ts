import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { holdsSecret, readObjectSource } from '../../../src/projection/sources/object-source.ts';
import type { SourceContent } from '../../../src/projection/sources/source-content.ts';
import type { ObjectSource } from '../../../src/projection/sources/source-spec.ts';
import type { PreparedBlob } from '../../../src/store/blob-store.ts';
import { TreeHarness, wanted } from '../helpers/tree-harness.ts';

let harness: TreeHarness;
let prepared: PreparedBlob[];
beforeEach(async () => {
  harness = await TreeHarness.create();
  prepared = [];
});
afterEach(async () => {
  for (const blob of prepared) harness.blobs.abandon(blob);
  await harness.close();
});

const object = (kind: ObjectSource['kind'], directory: string, more: Partial<ObjectSource> = {}): ObjectSource => ({
  kind,
  namespace: 'default',
  name: 'web',
  directory,
  ...more,
});

function read(source: ObjectSource, secret = false): Promise<SourceContent> {
  const { catalog, blobs } = harness;
  return readObjectSource(source, { catalog, blobs, secret, prepared });
}

describe('readObjectSource', () => {
  it('gives keys of a ConfigMap no mode of their own, and files of a Projection theirs', async () => {
    const file = { data: Buffer.from('x'), mode: 0o400, uid: 7, gid: 8 };
    await harness.service.write(wanted('configmap.web', {}, { payload: new Map([['k', file]]), kind: 'ConfigMap' }));
    await harness.service.write(wanted('web', {}, { payload: new Map([['d/k', file]]) }));
    const fromMap = (await read(object('configMap', 'configmap.web'))).files.get('k');
    assert.deepEqual([fromMap?.ownMode, fromMap?.uid], [undefined, undefined]);
    const fromProjection = (await read(object('projection', 'web'))).files.get('d/k');
    assert.deepEqual([fromProjection?.ownMode, fromProjection?.uid, fromProjection?.gid], [0o400, 7, 8]);
  });

  it('refers to content where it is, and copies it only into what is protected otherwise', async () => {
    await harness.service.write(wanted('web', { k: 'text' }));
    const same = (await read(object('projection', 'web'))).files.get('k')?.content;
    assert.ok(same !== undefined && 'digest' in same);
    assert.equal(prepared.length, 1);
    const copied = (await read(object('projection', 'web'), true)).files.get('k')?.content;
    assert.deepEqual(copied, Uint8Array.from(Buffer.from('text')));
    assert.equal(prepared.length, 1);
  });

  it('says NOT_FOUND for an object or a key that is missing, unless it is optional', async () => {
    await assert.rejects(read(object('secret', 'secret.web')), {
      code: 'NOT_FOUND',
      message: 'secret web does not exist',
    });
    assert.equal((await read(object('secret', 'secret.web', { optional: true }))).files.size, 0);
    await harness.service.write(wanted('web', { k: 'text' }));
    const items = [{ key: 'gone', path: 'g' }];
    await assert.rejects(read(object('projection', 'web', { items })), { code: 'NOT_FOUND', message: /no "gone"/ });
  });
});

describe('holdsSecret', () => {
  it('is true for a secret source, and for a Projection that holds content of one', async () => {
    const { catalog } = harness;
    await harness.service.write(wanted('plain', { k: '1' }));
    await harness.service.write(wanted('mixed', { k: '1' }, { secret: true }));
    assert.equal(holdsSecret(object('secret', 'secret.missing'), catalog), true);
    assert.equal(holdsSecret(object('projection', 'plain'), catalog), false);
    assert.equal(holdsSecret(object('projection', 'mixed'), catalog), true);
    assert.equal(holdsSecret(object('configMap', 'configmap.missing'), catalog), false);
  });
});
