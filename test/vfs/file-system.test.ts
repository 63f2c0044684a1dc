import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FOREVER_SECONDS } from '../../src/vfs/file-system.ts';

describe('FOREVER_SECONDS', () => {
  it('is a whole number that the wire holds and longer than any mount lives', () => {
    assert.ok(Number.isSafeInteger(FOREVER_SECONDS));
    assert.ok(FOREVER_SECONDS >= 50 * 365 * 86_400);
  });
});
