import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type FileChanges, withChangedFiles } from '../../src/projection/file-changes.ts';
import type { MountPayload } from '../../src/projection/payload.ts';
import { TreeHarness, wanted } from './helpers/tree-harness.ts';

let harness: TreeHarness;
beforeEach(async () => {
  harness = await TreeHarness.create();
});
afterEach(async () => {
  await harness.blobs.close();
  await harness.close();
});

const web = {
  directory: 'web',
  kind: 'Projection',
  namespace: 'default',
  name: 'web',
  immutable: false,
  secret: false,
} as const;
const changes = (files: FileChanges['files'], ...removed: string[]): FileChanges => ({
  files,
  removed: new Set(removed),
});

describe('withChangedFiles', () => {
  it('keeps mode and owner that are not given, holds what it refers to, and lets it go', async () => {
    const { service, blobs } = harness;
    const files = new Map([
      ['a', { data: Buffer.from('1'), mode: 0o400, uid: 7 }],
      ['b', { data: Buffer.from('2'), mode: 0o600 }],
    ]);
    await service.write(wanted('web', {}, { payload: files }));
    const stored = await blobs.prepare(Buffer.from('new'), 'plain');
    const current = service.get('web').paths;
    const changed = changes(
      new Map([
        ['a', { stored, gid: 9 }],
        ['c', { stored }],
      ]),
      'b',
    );
    const seen = await withChangedFiles(current, changed, blobs, (payload: MountPayload) => Promise.resolve(payload));
    assert.deepEqual(
      [...seen].map(([path, { mode, uid, gid }]) => [path, mode, uid, gid]),
      [
        ['a', 0o400, 7, 9],
        ['c', 0o644, undefined, undefined],
      ],
    );
    const held = current.find(({ path }) => path === 'b')?.file.digest;
    assert.ok(held !== undefined);
    const keeping = changes(new Map());
    await withChangedFiles(current, keeping, blobs, () => Promise.resolve(assert.ok(blobs.isInUse(held))));
    assert.equal(blobs.isInUse(held), false);
    const failing = withChangedFiles(current, keeping, blobs, () => Promise.reject(new Error('no')));
    await assert.rejects(failing, /no/);
    assert.equal(blobs.isInUse(held), false);
  });
});

describe('ProjectionService.changeFiles', () => {
  it('makes the projection, adds, replaces and removes, and leaves the rest', async () => {
    const { service, blobs } = harness;
    const set = async (path: string, text: string): Promise<unknown> => {
      const stored = await blobs.prepare(Buffer.from(text), 'plain');
      const result = await service.changeFiles(web, changes(new Map([[path, { stored }]])));
      blobs.abandon(stored);
      return result;
    };
    assert.deepEqual(await set('a/b', '1'), { action: 'created', generation: 1 });
    assert.deepEqual(await set('c', 'x'.repeat(100_000)), { action: 'configured', generation: 2 });
    assert.deepEqual(await set('a/b', '1'), { action: 'unchanged', generation: 2 });
    assert.deepEqual(await set('a/b', '2'), { action: 'configured', generation: 3 });
    assert.equal(await harness.readFile('web/a/b'), '2');
    assert.equal((await harness.readFile('web/c'))?.length, 100_000);
    await service.changeFiles(web, changes(new Map(), 'c'));
    assert.equal(await harness.readFile('web/c'), undefined);
    assert.equal(await harness.readFile('web/a/b'), '2');
  });

  it('refuses to remove what is not there, and changes nothing', async () => {
    const { service } = harness;
    await assert.rejects(service.changeFiles(web, changes(new Map(), 'a')), { code: 'NOT_FOUND' });
    assert.equal(harness.catalog.findProjection('web'), undefined);
    await service.write(wanted('web', { a: '1' }));
    await assert.rejects(service.changeFiles(web, changes(new Map(), 'b')), {
      code: 'NOT_FOUND',
      message: /no file "b"/,
    });
    assert.equal(service.get('web').record.number, 1);
  });

  it('refuses a file where a directory is', async () => {
    const { service, blobs } = harness;
    await service.write(wanted('web', { 'a/b': '1' }));
    const stored = await blobs.prepare(Buffer.from('x'), 'plain');
    await assert.rejects(service.changeFiles(web, changes(new Map([['a', { stored }]]))), { code: 'INVALID_PATH' });
  });
});
