import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatMode } from '../../../src/cli/output/octal.ts';

test('permission bits have four digits, type bits none', () => {
  assert.deepEqual([0o644, 0, 0o7, 0o1777, 0o100640].map(formatMode), ['0644', '0000', '0007', '01777', '0640']);
});
