import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SharedRun } from '../../src/base/shared-run.ts';

/** Runs that end when the test says so, numbered from 1. */
function held(): { readonly shared: SharedRun<number>; readonly runs: PromiseWithResolvers<void>[] } {
  const runs: PromiseWithResolvers<void>[] = [];
  const shared = new SharedRun(async () => {
    const run = withResolvers();
    const number = runs.push(run);
    await run.promise;
    return number;
  });
  return { shared, runs };
}

interface PromiseWithResolvers<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
}

function withResolvers(): PromiseWithResolvers<void> {
  let resolve: () => void = () => undefined;
  let reject: (reason: unknown) => void = () => undefined;
  const promise = new Promise<void>((given, refused) => {
    resolve = given;
    reject = refused;
  });
  return { promise, resolve, reject };
}

describe('a shared run', () => {
  it('begins at once, and those who ask meanwhile share the next', async () => {
    const { shared, runs } = held();
    const first = shared.ask();
    assert.equal(runs.length, 1);
    const others = [shared.ask(), shared.ask(), shared.ask()];
    runs[0]?.resolve();
    assert.equal(await first, 1);
    assert.equal(runs.length, 2);
    const late = shared.ask();
    runs[1]?.resolve();
    assert.deepEqual(await Promise.all(others), [2, 2, 2]);
    runs[2]?.resolve();
    assert.equal(await late, 3);
    const again = shared.ask();
    runs[3]?.resolve();
    assert.equal(await again, 4);
  });

  it('that fails is told to those who asked for it, and to nobody else', async () => {
    const { shared, runs } = held();
    const first = shared.ask();
    const second = shared.ask();
    runs[0]?.reject(new Error('the first'));
    await assert.rejects(first, { message: 'the first' });
    runs[1]?.resolve();
    assert.equal(await second, 2);
  });
});
