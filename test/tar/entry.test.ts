import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byteText } from '../../src/base/byte-text.ts';
import { storedBytes, tarEntry } from '../../src/tar/entry.ts';

test('what is stored of a file are its regions, or all of it', () => {
  const entry = tarEntry({ type: 'file', name: byteText('a'), sizeBytes: 100 });
  assert.equal(storedBytes(entry), 100);
  assert.equal(storedBytes({ ...entry, regions: [] }), 0);
  const regions = [
    { offset: 3, sizeBytes: 4 },
    { offset: 50, sizeBytes: 10 },
  ];
  assert.equal(storedBytes({ ...entry, regions }), 14);
  assert.equal(entry.mode, 0o644);
});
