import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { limits } from '../../../src/base/limits.ts';
import { RefreshTimer } from '../../../src/projection/sources/refresh-timer.ts';

let nowMs: number;
let due: { readonly atMs: number; readonly sinceMs: number }[];
let timer: RefreshTimer;

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout'] });
  nowMs = 0;
  due = [];
  timer = new RefreshTimer({ nowMs: () => nowMs, monotonicMs: () => nowMs }, (sinceMs) =>
    due.push({ atMs: nowMs, sinceMs }),
  );
});
afterEach(() => {
  timer.close();
  mock.timers.reset();
});

function pass(ms: number): void {
  for (let step = 0; step < ms; step += 1) {
    nowMs += 1;
    mock.timers.tick(1);
  }
}

describe('RefreshTimer', () => {
  it('waits for the quiet time after the last change of a burst', () => {
    for (let i = 0; i < 5; i += 1) {
      timer.changed();
      pass(limits.sourceQuietMs - 1);
    }
    assert.deepEqual(due, []);
    pass(1);
    assert.deepEqual(due, [{ atMs: 5 * (limits.sourceQuietMs - 1) + 1, sinceMs: 0 }]);
  });

  it('lets changes without end through after the maximum, again and again', () => {
    for (let i = 0; i < 2 * limits.sourceQuietMsMax; i += 1) {
      timer.changed();
      pass(1);
    }
    const times = due.map(({ atMs }) => atMs);
    assert.deepEqual(times, [limits.sourceQuietMsMax, 2 * limits.sourceQuietMsMax]);
  });

  it('does not wait where it is told so', () => {
    timer.changed(0);
    pass(1);
    assert.equal(due.length, 1);
  });

  it('tries again what failed, less and less often, until it succeeds', () => {
    const waits: number[] = [];
    for (let i = 0; i < 9; i += 1) {
      const startMs = nowMs;
      timer.failed();
      while (due.length === i) pass(100);
      waits.push(Math.floor((nowMs - startMs) / 1000));
    }
    assert.deepEqual(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    timer.failed();
    timer.succeeded();
    pass(limits.sourceRetryMsMax);
    assert.equal(due.length, 9);
  });

  it('says nothing after it was closed', () => {
    timer.changed();
    timer.failed();
    timer.close();
    pass(limits.sourceRetryMsMax);
    assert.deepEqual(due, []);
  });
});
