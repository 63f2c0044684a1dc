import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { describe, it } from 'node:test';
import { malformed, nameTooLong, notUtf8 } from '../../src/fuse/wire-error.ts';

describe('WireError', () => {
  it('carries the errno the kernel gets', () => {
    const { EINVAL, ENOENT, ENAMETOOLONG } = constants.errno;
    assert.deepEqual([malformed('x').errno, notUtf8().errno, nameTooLong().errno], [EINVAL, ENOENT, ENAMETOOLONG]);
  });
});
