import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { createFileOperations, type FileOperations } from '../../src/daemon/file-operations.ts';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import { TreeHarness, wanted } from '../projection/helpers/tree-harness.ts';
import { collect, only } from '../server/fake-operations.ts';
import { filesBelow, filesWith } from '../store/state-directory.ts';

const LARGE = randomBytes(3_000_000);

let harness: TreeHarness;
let files: FileOperations;
beforeEach(async () => {
  harness = await TreeHarness.create();
  files = createFileOperations({
    ...{ projections: harness.service, blobs: harness.blobs, log: silentLog, sources: harness.sources },
  });
});
afterEach(async () => {
  await harness.blobs.close();
  await harness.close();
});

const contentFiles = (): readonly string[] => filesBelow(join(harness.directory, 'blobs'));

async function* broken(): AsyncGenerator<Uint8Array> {
  yield LARGE;
  throw new Error('broken off');
}

describe('single files', () => {
  it('are written, read back and removed', async () => {
    const { action, directory, kind } = await files.writeFile('web', {
      path: 'a//b',
      mode: 0o600,
      content: only(LARGE),
    });
    assert.deepEqual([action, directory, kind], ['created', 'web', 'Projection']);
    const read = await files.readFile('web', 'a/b');
    assert.equal(read.sizeBytes, LARGE.length);
    assert.ok(LARGE.equals(await collect(read.content)));
    assert.equal((await files.removeFile('web', './a/b')).action, 'configured');
    await assert.rejects(async () => files.readFile('web', 'a/b'), { code: 'NOT_FOUND' });
    await assert.rejects(files.removeFile('web', 'a/b'), { code: 'NOT_FOUND' });
  });

  it('are one swap if they come together', async () => {
    const several = only(
      { path: 'a', sizeBytes: 1, content: only(Buffer.from('1')) },
      { path: 'b', sizeBytes: LARGE.length, content: only(LARGE) },
    );
    assert.equal((await files.writeFiles('web', several)).generation, 1);
    assert.equal(await harness.readFile('web/a'), '1');
  });

  it('that are broken off leave nothing, neither content nor a projection', async () => {
    await assert.rejects(files.writeFile('web', { path: 'a', content: broken() }), /broken off/);
    const several = only(
      { path: 'a', sizeBytes: LARGE.length, content: only(LARGE) },
      { path: 'b', sizeBytes: 1, content: broken() },
    );
    await assert.rejects(files.writeFiles('web', several), /broken off/);
    assert.deepEqual(contentFiles(), []);
    assert.equal(harness.catalog.findProjection('web'), undefined);
  });

  it('with a wrong name or path are refused before their content is asked for', async () => {
    const untouched = (): AsyncIterable<Uint8Array> => ({
      [Symbol.asyncIterator]: () => assert.fail('the content was asked for'),
    });
    await assert.rejects(files.writeFile('secret.db', { path: 'a', content: untouched() }), {
      code: 'INVALID_ARGUMENT',
    });
    await assert.rejects(files.writeFile('web', { path: '../a', content: untouched() }), { code: 'INVALID_PATH' });
    const twice = only(
      { path: 'a', sizeBytes: 0, content: only<Uint8Array>() },
      { path: './a', sizeBytes: 0, content: untouched() },
    );
    await assert.rejects(files.writeFiles('web', twice), { code: 'INVALID_ARGUMENT', message: /given twice/ });
  });

  it('of a Projection that holds a Secret are sealed, and not shown', async () => {
    await harness.service.write(wanted('web', { a: '1' }, { secret: true }));
    await files.writeFile('web', { path: 'b', content: only(Buffer.alloc(100_000, 'hunter2 ')) });
    assert.equal((await harness.readFile('web/b'))?.slice(0, 7), 'hunter2');
    await assert.rejects(async () => files.readFile('web', 'b'), { code: 'PERMISSION_DENIED' });
    assert.deepEqual(filesWith(harness.directory, Buffer.from('hunter2')), []);
  });

  it('that were sent while the Projection became a secret are refused', async () => {
    const late = async function* (): AsyncGenerator<Uint8Array> {
      await harness.service.write(wanted('web', { a: '1' }, { secret: true }));
      yield LARGE;
    };
    await assert.rejects(files.writeFile('web', { path: 'b', content: late() }), { code: 'STALE' });
    assert.deepEqual(contentFiles(), []);
  });

  it('of a Projection with sources are refused before their content is asked for', async () => {
    const refusing = createFileOperations({
      ...{ projections: harness.service, blobs: harness.blobs, log: silentLog },
      sources: {
        refuseWrite: () => {
          throw new DunnageError('READ_ONLY', 'it comes from its sources');
        },
      },
    });
    await assert.rejects(refusing.writeFile('web', { path: 'a', content: broken() }), { code: 'READ_ONLY' });
    await assert.rejects(refusing.removeFile('web', 'a'), { code: 'READ_ONLY' });
  });

  it('are read whole although they are replaced meanwhile', async () => {
    await files.writeFile('web', { path: 'a', content: only(LARGE) });
    const { content } = await files.readFile('web', 'a');
    const chunks = content[Symbol.asyncIterator]();
    const first = await chunks.next();
    for (let swap = 0; swap < 12; swap += 1) {
      await files.writeFile('web', { path: 'a', content: only(Buffer.from(String(swap))) });
    }
    for (const id of [...harness.catalog.allDropped()]) harness.service.forgotten(id);
    await harness.service.removeForgotten();
    await harness.blobs.collect();
    const rest = await collect({ [Symbol.asyncIterator]: () => chunks });
    assert.ok(LARGE.equals(Buffer.concat([first.value ?? Buffer.alloc(0), rest])));
  });
});
