import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import { BUSY_RETRIES, type RetryPlan, retry, SUSPEND_RETRIES } from '../../src/thinpool/retry.ts';

async function run(
  plan: RetryPlan,
  failures: readonly Error[],
): Promise<{ tries: number; waits: readonly number[]; error: unknown }> {
  const waits: number[] = [];
  let tries = 0;
  const attempt = async (): Promise<string> => {
    const failure = failures[tries];
    tries += 1;
    if (failure !== undefined) throw failure;
    return 'done';
  };
  const error = await retry(plan, async (durationMs) => void waits.push(durationMs), attempt).then(
    (value) => void assert.equal(value, 'done'),
    (reason: unknown) => reason,
  );
  return { tries, waits, error };
}

const busy = new DunnageError('BUSY', 'x');
const invalid = new DunnageError('INVALID_ARGUMENT', 'x');

test('what succeeds is not repeated', async () => {
  assert.deepEqual(await run(BUSY_RETRIES, []), { tries: 1, waits: [], error: undefined });
});

test('the last error is thrown when the tries are used up', async () => {
  const last = new DunnageError('BUSY', 'last');
  assert.deepEqual(await run(SUSPEND_RETRIES, [busy, invalid, last]), { tries: 3, waits: [100, 200], error: last });
});

test('only the codes of the plan are worth another try', async () => {
  assert.deepEqual(await run(BUSY_RETRIES, [busy, invalid]), { tries: 2, waits: [100], error: invalid });
  const bug = new TypeError('x');
  assert.deepEqual(await run(SUSPEND_RETRIES, [bug]), { tries: 1, waits: [], error: bug });
});
