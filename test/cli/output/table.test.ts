import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatFields, formatTable, printable } from '../../../src/cli/output/table.ts';

test('columns are as wide as their widest cell, numbers stand right, lines end without blanks', () => {
  const columns = [
    { title: 'A', cell: (row: readonly [string, string]) => row[0] },
    { title: 'NUMBER', cell: (row: readonly [string, string]) => row[1], align: 'right' as const },
    { title: 'LAST', cell: () => '' },
  ];
  assert.equal(
    formatTable(columns, [
      ['long', '1'],
      ['x', '12345678'],
    ]),
    'A        NUMBER   LAST\nlong          1\nx      12345678\n',
  );
  assert.equal(formatTable(columns, []), 'A   NUMBER   LAST\n');
});

test('fields have their values in one column', () => {
  assert.equal(
    formatFields([
      ['A', '1'],
      ['Long', '2'],
    ]),
    'A:      1\nLong:   2\n',
  );
});

test('control characters become visible, everything else stays', () => {
  assert.equal(printable('a\nb\u001b[0m\u009b\u007f'), 'a\\x0ab\\x1b[0m\\x9b\\x7f');
  assert.equal(printable('grüße 日本'), 'grüße 日本');
});
