import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import {
  DunnageError,
  fromSystemError,
  toErrno,
  toExitCode,
  toGrpcStatusName,
  toHttpStatus,
} from '../../src/errors/dunnage-error.ts';
import { ERROR_TABLE, type ErrorCode } from '../../src/errors/table.ts';

const CODES = Object.keys(ERROR_TABLE) as ErrorCode[];
const GRPC_NAMES =
  'CANCELLED INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS'.split(
    ' ',
  );

test('every code maps to an errno, a gRPC status, an HTTP status and an exit code that exist', () => {
  for (const code of CODES) {
    const error = new DunnageError(code, 'x');
    assert.ok(error.row.errno in constants.errno, `${code}: ${error.row.errno}`);
    assert.equal(toErrno(error), (constants.errno as Record<string, number>)[error.row.errno]);
    assert.ok(GRPC_NAMES.includes(toGrpcStatusName(error)), `${code}: ${toGrpcStatusName(error)}`);
    assert.ok(toHttpStatus(error) >= 400 && toHttpStatus(error) < 600, code);
    assert.ok(toExitCode(error) > 0 && toExitCode(error) < 64, code);
  }
});

test('what is not a DunnageError is an internal error at every edge, and EIO for a file', () => {
  for (const error of [new Error('x'), new TypeError('x'), undefined, 'text']) {
    assert.equal(toErrno(error), constants.errno.EIO);
    assert.equal(toHttpStatus(error), 500);
    assert.equal(toExitCode(error), 1);
    assert.equal(toGrpcStatusName(error), 'INTERNAL');
  }
});

test('fromSystemError: the errno decides the code, and the message says what was being done', () => {
  const system = Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT' });
  const error = fromSystemError(system, 'cannot open /x');
  assert.deepEqual(
    [error.code, error.message, error.cause],
    ['NOT_FOUND', 'cannot open /x: ENOENT: no such file', system],
  );
  assert.equal(fromSystemError(Object.assign(new Error('x'), { code: 'EXDEV' }), 'y').code, 'IO');
  assert.equal(fromSystemError(new Error('x'), 'y').code, 'INTERNAL');
});

test('fromSystemError: a DunnageError passes unchanged', () => {
  const error = new DunnageError('BUSY', 'x', { remedy: 'y' });
  assert.equal(fromSystemError(error, 'z'), error);
});

test('fromSystemError: every errno a caller can act on keeps its meaning', () => {
  const rows: readonly [string, ErrorCode][] = [
    ['ENOENT', 'NOT_FOUND'],
    ['EEXIST', 'ALREADY_EXISTS'],
    ['ENOTDIR', 'NOT_A_DIRECTORY'],
    ['EISDIR', 'IS_A_DIRECTORY'],
    ['ENOTEMPTY', 'NOT_EMPTY'],
    ['EBUSY', 'BUSY'],
    ['EROFS', 'READ_ONLY'],
    ['EACCES', 'PERMISSION_DENIED'],
    ['EPERM', 'PERMISSION_DENIED'],
    ['ENOSPC', 'NO_SPACE'],
    ['EDQUOT', 'NO_SPACE'],
    ['ENAMETOOLONG', 'NAME_TOO_LONG'],
    ['ESTALE', 'STALE'],
    ['EINVAL', 'INVALID_ARGUMENT'],
    ['EINTR', 'INTERRUPTED'],
    ['ETIMEDOUT', 'TIMED_OUT'],
    ['ENOSYS', 'NOT_SUPPORTED'],
    ['ECONNREFUSED', 'UNREACHABLE'],
    ['ENOTCONN', 'UNREACHABLE'],
  ];
  for (const [errno, code] of rows) {
    assert.equal(fromSystemError(Object.assign(new Error(errno), { code: errno }), 'x').code, code, errno);
  }
});

test('fromSystemError: a name that every object has is not taken for an errno', () => {
  for (const code of ['constructor', 'toString', '__proto__']) {
    assert.equal(fromSystemError(Object.assign(new Error('x'), { code }), 'y').code, 'IO', code);
  }
});

test('fromSystemError: what is thrown without being an error is told and kept as the cause', () => {
  for (const thrown of ['text', undefined, null, 7]) {
    const error = fromSystemError(thrown, 'cannot do it');
    assert.deepEqual([error.code, error.message], ['INTERNAL', `cannot do it: ${thrown}`]);
  }
  assert.equal(fromSystemError('text', 'x').cause, 'text');
});

test('fromSystemError: a numeric code is not an errno symbol', () => {
  assert.equal(fromSystemError(Object.assign(new Error('x'), { code: -2 }), 'y').code, 'INTERNAL');
});

test('DunnageError is an Error with a name, a stack, its remedy and only the cause it was given', () => {
  const cause = new Error('why');
  const error = new DunnageError('NO_SPACE', 'the disk is full', { remedy: 'free some space', cause });
  assert.ok(error instanceof Error && error.stack?.includes('the disk is full'));
  assert.deepEqual(
    [error.name, error.code, error.remedy, error.cause],
    ['DunnageError', 'NO_SPACE', 'free some space', cause],
  );
  const plain = new DunnageError('NO_SPACE', 'x');
  assert.equal(plain.remedy, undefined);
  assert.ok(!('cause' in plain));
});
