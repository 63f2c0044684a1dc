import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { decodeMessage, encodeMessage, hostMs, type ReaderMessage } from '../../../src/cli/demo/reader-messages.ts';

test('a message is one line, and the same after it was read back', () => {
  const message: ReaderMessage = { type: 'value', atMs: 1.5, value: 'two\nlines' };
  const line = encodeMessage(message);
  assert.equal(line.indexOf('\n'), line.length - 1);
  assert.deepEqual(decodeMessage(line), message);
});

test('hostMs: another process reads the same clock', () => {
  const before = hostMs();
  const other = Number(
    execFileSync(process.execPath, ['-p', 'Number(process.hrtime.bigint()) / 1e6'], { encoding: 'utf8' }),
  );
  assert.ok(before < other && other < hostMs(), `${before} < ${other} < ${hostMs()}`);
});
