import assert from 'node:assert/strict';
import { lstatSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileInfo, timeText } from '../../../src/alloc/files/file-info.ts';

test('times are RFC 3339 with as many digits as are needed', () => {
  assert.equal(timeText(0n), '1970-01-01T00:00:00Z');
  assert.equal(timeText(1_500_000_000n), '1970-01-01T00:00:01.5Z');
  assert.equal(timeText(1_000_000_001n), '1970-01-01T00:00:01.000000001Z');
  assert.equal(timeText(-1n), '1969-12-31T23:59:59.999999999Z');
});

test('what is told of a file: its name, kind, size, mode and time', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'dunnage-file-info-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'file');
  writeFileSync(path, 'four', { mode: 0o640 });
  utimesSync(path, 1, 1_000_000_000);
  assert.deepEqual(fileInfo('file', lstatSync(path, { bigint: true })), {
    name: 'file',
    isDir: false,
    sizeBytes: 4,
    fileMode: '-rw-r-----',
    modTimeNs: 1_000_000_000_000_000_000n,
  });
  assert.equal(fileInfo('.', lstatSync(folder, { bigint: true })).isDir, true);
});
