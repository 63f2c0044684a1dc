import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Log, silentLog } from '../../src/base/log.ts';

test('silentLog takes every level and writes nothing', (t) => {
  const stdout = t.mock.method(process.stdout, 'write');
  const stderr = t.mock.method(process.stderr, 'write');
  const levels: readonly (keyof Log)[] = ['debug', 'info', 'warn', 'error'];
  for (const level of levels) assert.equal(silentLog[level]({ key: 'value' }, 'message'), undefined);
  const written = [...stdout.mock.calls, ...stderr.mock.calls].map((call) => String(call.arguments[0]));
  assert.ok(!written.some((text) => text.includes('message')));
});
