import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseLocalFile, parseMode } from '../../src/cli/local-files.ts';

test('parseLocalFile splits at the first =', () => {
  assert.deepEqual(parseLocalFile('a/b=/tmp/x=y'), { path: 'a/b', local: '/tmp/x=y' });
  assert.deepEqual(parseLocalFile('a=-'), { path: 'a', local: '-' });
  for (const wrong of ['a', '=a', 'a=', '=', '']) {
    assert.throws(() => parseLocalFile(wrong), { code: 'INVALID_ARGUMENT', message: /is not PATH=LOCALFILE/ });
  }
});

test('parseMode reads octal permission bits only', () => {
  for (const [text, mode] of [
    ['0644', 0o644],
    ['400', 0o400],
    ['0o777', 0o777],
    ['0', 0],
  ] as const) {
    assert.equal(parseMode(text), mode);
  }
  for (const wrong of ['', '888', '1777', '04755', 'u+x', '-1']) {
    assert.throws(() => parseMode(wrong), { code: 'INVALID_ARGUMENT' });
  }
});
