import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  isSnapshotErrorName,
  rootPath,
  SnapshotErrorFilename,
  SnapshotErrorTime,
  snapshotRoots,
} from '../../../src/alloc/snapshot/snapshot-names.ts';
import { byteText } from '../../../src/base/byte-text.ts';

test('the error entry has the name and the time that programs know', () => {
  assert.equal(SnapshotErrorFilename('5f8c'), 'NOMAD-5f8c-ERROR.log');
  assert.equal(SnapshotErrorTime.toISOString(), '1999-11-30T00:00:00.000Z');
  assert.equal(isSnapshotErrorName(byteText(SnapshotErrorFilename('any other'))), true);
  for (const name of ['NOMAD--ERROR.log', 'xNOMAD-a-ERROR.log', 'NOMAD-a-ERROR.log.1'])
    assert.equal(isSnapshotErrorName(byteText(name)), false, name);
});

test('what is archived are the data and the local directories, in order, each once', () => {
  assert.deepEqual(snapshotRoots(['web', 'db', 'web']).map(rootPath), ['alloc/data', 'db/local', 'web/local']);
  for (const task of ['alloc', '..', '', 'a/b', '.x'])
    assert.throws(() => snapshotRoots([task]), { code: 'INVALID_ARGUMENT' });
});
