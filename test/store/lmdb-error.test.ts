import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import { fromLmdbError } from '../../src/store/lmdb-error.ts';

const lmdb = (message: string, code: number): Error => Object.assign(new Error(message), { code });

test('errors of LMDB get a code, and the ones a user can mend a remedy', () => {
  const expectations = [
    [lmdb('No space left on device', constants.errno.ENOSPC), 'NO_SPACE', true],
    [lmdb('MDB_MAP_FULL: Environment mapsize limit reached', -30792), 'NO_SPACE', true],
    [lmdb('MDB_CORRUPTED: Located page was wrong type', -30796), 'CORRUPT', true],
    [lmdb('MDB_READERS_FULL: Environment maxreaders limit reached', -30790), 'IO', false],
    [lmdb('Permission denied', constants.errno.EACCES), 'PERMISSION_DENIED', false],
  ] as const;
  for (const [error, code, hasRemedy] of expectations) {
    const mapped = fromLmdbError(error, 'doing');
    assert(mapped instanceof DunnageError);
    assert.equal(mapped.code, code);
    assert.equal(mapped.remedy !== undefined, hasRemedy);
    assert.match(mapped.message, /^doing: /);
  }
});

test('errors that are not of LMDB pass unchanged', () => {
  for (const error of [new DunnageError('BUSY', 'x'), new Error('x'), 'text', new assert.AssertionError({})]) {
    assert.equal(fromLmdbError(error, 'doing'), error);
  }
});
