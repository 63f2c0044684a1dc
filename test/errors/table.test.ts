/** The table itself; that the edges answer with it is tested in dunnage-error.test.ts. */
import assert from 'node:assert/strict';
import { STATUS_CODES } from 'node:http';
import { constants } from 'node:os';
import { test } from 'node:test';
import { ERROR_TABLE, type ErrorCode } from '../../src/errors/table.ts';

const ROWS = Object.entries(ERROR_TABLE);
/** What a shell and `wait` mean by themselves: 126 cannot run, 127 not found, 128 + n killed. */
const EXIT_MAX = 125;

test('every row names an errno of this system, an HTTP status that exists and an exit code of its own meaning', () => {
  for (const [code, row] of ROWS) {
    assert.match(code, /^[A-Z]+(?:_[A-Z]+)*$/);
    assert.ok(row.errno in constants.errno, `${code}: ${row.errno}`);
    assert.ok(row.http >= 400 && row.http in STATUS_CODES, `${code}: HTTP ${row.http}`);
    assert.ok(Number.isInteger(row.exit) && row.exit >= 1 && row.exit <= EXIT_MAX, `${code}: exit ${row.exit}`);
  }
});

test('only a bug ends the command line with 1', () => {
  const codes = ROWS.filter(([, row]) => row.exit === 1).map(([code]) => code);
  assert.deepEqual(codes, ['INTERNAL']);
});

test('a reader of files can tell apart what is missing, forbidden, full, stale and read-only', () => {
  const codes: readonly ErrorCode[] = ['NOT_FOUND', 'PERMISSION_DENIED', 'NO_SPACE', 'STALE', 'READ_ONLY', 'IO'];
  assert.equal(new Set(codes.map((code) => ERROR_TABLE[code].errno)).size, codes.length);
});

test('only the caller is blamed with 4xx: what it cannot mend is 5xx', () => {
  const server: readonly ErrorCode[] = [
    'CORRUPT',
    'IO',
    'INTERNAL',
    'NO_SPACE',
    'UNREACHABLE',
    'TIMED_OUT',
    'INTERRUPTED',
  ];
  for (const code of server) assert.ok(ERROR_TABLE[code].http >= 500, code);
  const caller: readonly ErrorCode[] = [
    'INVALID_ARGUMENT',
    'INVALID_PATH',
    'INVALID_MANIFEST',
    'NOT_FOUND',
    'IMMUTABLE',
  ];
  for (const code of caller) assert.ok(ERROR_TABLE[code].http < 500, code);
});

test('a kind of failure has one exit code, whichever edge it came through', () => {
  const exitOf = new Map<string, Set<number>>();
  for (const [, { http, exit }] of ROWS) {
    if (http === 500) continue;
    const key = String(http);
    exitOf.set(key, (exitOf.get(key) ?? new Set()).add(exit));
  }
  const several = [...exitOf].filter(([, exits]) => exits.size > 1).map(([http]) => http);
  // 503: UNREACHABLE (3, start the daemon) is another thing than asking again later (8).
  assert.deepEqual(several, ['503']);
});
