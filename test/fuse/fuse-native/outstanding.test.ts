import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../../../src/base/log.ts';
import { Outstanding } from '../../../src/fuse/fuse-native/outstanding.ts';
import { FakeClock } from './fake-tree.ts';

test('requests are counted by operation; those that take too long are told once, until they end', () => {
  const clock = new FakeClock();
  const warned: unknown[] = [];
  const log = { ...silentLog, warn: (fields: unknown) => void warned.push(fields) };
  const outstanding = new Outstanding({ name: 'projections', log, clock, unansweredMs: 100 });
  const endFirst = outstanding.begin('READ');
  clock.ms += 60;
  const endSecond = outstanding.begin('GETATTR');
  clock.ms += 60;
  outstanding.look();
  outstanding.look();
  assert.deepEqual(warned, [{ connection: 'projections', operation: 'READ', ageMs: 120 }]);
  assert.deepEqual([outstanding.size, outstanding.unansweredNow, outstanding.total], [2, 1, 2]);
  endFirst();
  endSecond();
  assert.deepEqual([outstanding.size, outstanding.unansweredNow, outstanding.unansweredEver], [0, 0, 1]);
  assert.deepEqual(outstanding.byName(), { READ: 1, GETATTR: 1 });
});
