import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatError } from '../../../src/cli/output/report-error.ts';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';

const HUMAN = { json: false, debug: false };

test('the message, then each line of the remedy indented', () => {
  const error = new DunnageError('BUSY', 'in use', { remedy: 'end it\nor wait' });
  assert.equal(formatError(error, HUMAN), 'dunnage: in use\n  end it\n  or wait\n');
  assert.equal(formatError(new DunnageError('BUSY', 'in use'), HUMAN), 'dunnage: in use\n');
});

test('as JSON it is one line with code and exit code', () => {
  const text = formatError(new DunnageError('BUSY', 'in\nuse', { remedy: 'wait' }), { json: true, debug: false });
  assert.equal(text.split('\n').length, 2);
  assert.deepEqual(JSON.parse(text), { error: { code: 'BUSY', message: 'in\nuse', remedy: 'wait', exitCode: 5 } });
});

test('what is not ours is an internal error, and names cannot drive the terminal', () => {
  const text = formatError(new TypeError('x is \u001b[2J not a function'), HUMAN);
  assert.match(text, /^dunnage: internal error: x is \\x1b\[2J not a function\n {2}run the command again with --debug/);
  assert.match(formatError('a string', HUMAN), /^dunnage: internal error: a string\n/);
});

test('debug shows the stack and those of the causes', () => {
  const error = new DunnageError('IO', 'outer', { cause: new Error('inner') });
  const text = formatError(error, { json: false, debug: true });
  assert.match(text, /DunnageError: outer\n\s+at [\s\S]*caused by: Error: inner\n\s+at /);
});
