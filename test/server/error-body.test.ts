import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import { ERROR_TABLE, type ErrorCode } from '../../src/errors/table.ts';
import { fromErrorBody, stackWithoutMessage, toErrorBody, toPublicError } from '../../src/server/error-body.ts';

test('every error but a bug goes out as it is and comes back the same', () => {
  for (const code of Object.keys(ERROR_TABLE) as ErrorCode[]) {
    const error = new DunnageError(code, 'what', { remedy: 'how' });
    const back = fromErrorBody(JSON.parse(JSON.stringify(toErrorBody(toPublicError(error)))), error.row.http);
    assert.equal(back.code, code);
    if (code !== 'INTERNAL') assert.deepEqual([back.message, back.remedy], ['what', 'how']);
    else assert.doesNotMatch(`${back.message}${back.remedy}`, /what|how/);
  }
  assert.equal(fromErrorBody(toErrorBody(new DunnageError('BUSY', 'x')), 409).remedy, undefined);
});

test('whatever else was thrown goes out as a bug without its words', () => {
  for (const thrown of [
    new Error('hunter2'),
    Object.assign(new Error('hunter2'), { code: 'FST_ERR_OTHER' }),
    'hunter2',
    null,
    undefined,
    { code: 'BUSY' },
  ]) {
    const shown = toPublicError(thrown);
    assert.equal(shown.code, 'INTERNAL');
    assert.doesNotMatch(JSON.stringify(toErrorBody(shown)), /hunter2/);
  }
});

test('a body that is none of ours is an error that says so', () => {
  for (const body of [
    undefined,
    null,
    [],
    'x',
    {},
    { error: null },
    { error: { code: 'NOPE', message: 'x' } },
    { error: { code: 'constructor', message: 'x' } },
    { error: { code: 'BUSY' } },
  ]) {
    const error = fromErrorBody(body, 418);
    assert.equal(error.code, 'INTERNAL');
    assert.match(error.message, /418/);
  }
});

test('the stack for the log holds frames only', () => {
  const lines = stackWithoutMessage(new Error('hunter2\nsecond line'));
  assert.ok(lines.length > 0);
  assert.doesNotMatch(lines.join('\n'), /hunter2|second line/);
  assert.deepEqual(stackWithoutMessage('x'), []);
});

test('the answer of a server that is closing means that there is no daemon', () => {
  const error = fromErrorBody({ error: 'Service Unavailable', statusCode: 503 }, 503);
  assert.equal(error.code, 'UNREACHABLE');
});
