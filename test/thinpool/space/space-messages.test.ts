import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SpaceReport } from '../../../src/thinpool/space/pool-space.ts';
import { levelOf, messageOf, warningsOf } from '../../../src/thinpool/space/space-messages.ts';

const GIBIBYTE = 1024 ** 3;
const WELL: SpaceReport = {
  promisedBytes: 12 * GIBIBYTE,
  promisableBytes: 9 * GIBIBYTE,
  usedBytes: 8 * GIBIBYTE,
  totalBytes: 10 * GIBIBYTE,
  metadataUsedBytes: 900,
  metadataTotalBytes: 1024,
  isBacked: true,
  isLow: false,
  isFilling: false,
  isBelowLowWater: false,
  areMetadataLow: false,
  areWritersStopped: false,
  isReadOnly: false,
  needsCheck: false,
};
const OVERCOMMIT = { highWaterPercent: 80 };

test('a pool that is well has no warnings', () => {
  assert.deepEqual(warningsOf(WELL, undefined), []);
  assert.deepEqual(warningsOf({ ...WELL, isBacked: false }, OVERCOMMIT), []);
});

test('each warning says what is wrong, and what to do', () => {
  const [unbacked] = warningsOf({ ...WELL, isBacked: false }, undefined);
  assert.match(unbacked ?? '', /promised 12 GiB, and it can hold 9 GiB.*make the pool larger/);
  const [low, ...more] = warningsOf({ ...WELL, isLow: true }, OVERCOMMIT);
  assert.match(low ?? '', /mark of 80% \(8 GiB of 10 GiB are in use\): remove/);
  assert.deepEqual(more, []);
  const [stopped, ...others] = warningsOf({ ...WELL, isLow: true, areWritersStopped: true }, OVERCOMMIT);
  assert.match(stopped ?? '', /who writes waits/);
  assert.deepEqual(others, []);
  const all = warningsOf({ ...WELL, areMetadataLow: true, isReadOnly: true, needsCheck: true }, undefined);
  assert.deepEqual(
    all.map((line) => /dunnage pool (?:check|repair)|metadata device larger/.test(line)),
    [true, true, true],
  );
});

test('what goes wrong is an error in the log, and that it is over is not', () => {
  assert.deepEqual([levelOf('writers-stopped'), levelOf('writers-resumed')], ['error', 'info']);
  assert.notEqual(messageOf('low'), messageOf('enough'));
});
