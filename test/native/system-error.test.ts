import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { systemCode, systemError } from '../../src/native/system-error.ts';

test('an imitated error has what one of node:fs has', () => {
  let real: unknown;
  try {
    readFileSync('/no/such/file');
  } catch (error) {
    real = error;
  }
  const made = systemError('ENOENT', 'open', '/no/such/file', 'no such file or directory');
  assert.equal(made.message, (real as Error).message);
  assert.equal(made.code, (real as NodeJS.ErrnoException).code);
  assert.equal(made.errno, 2);
  assert.equal(made.syscall, 'open');
});

test('the code of what is no system error is undefined', () => {
  assert.equal(systemCode(systemError('EBUSY', 'umount2', '/x', 'busy')), 'EBUSY');
  for (const value of [undefined, null, 'text', new Error('x'), { code: 5 }])
    assert.equal(systemCode(value), undefined);
});
