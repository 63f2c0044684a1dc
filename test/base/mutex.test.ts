import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeyedMutex } from '../../src/base/mutex.ts';

/** A task that ends when it is told to, and notes when it begins and ends. */
function task(log: string[], name: string): { readonly run: () => Promise<string>; readonly finish: () => void } {
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const run = async (): Promise<string> => {
    log.push(`${name} begins`);
    await finished;
    log.push(`${name} ends`);
    return name;
  };
  return { run, finish };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('KeyedMutex.run: tasks of one key run one after another, in the order they came', async () => {
  const mutex = new KeyedMutex<string>();
  const log: string[] = [];
  const [first, second] = [task(log, 'first'), task(log, 'second')];
  const results = Promise.all([mutex.run('key', first.run), mutex.run('key', second.run)]);
  second.finish();
  await settle();
  assert.deepEqual(log, ['first begins']);
  first.finish();
  assert.deepEqual(await results, ['first', 'second']);
  assert.deepEqual(log, ['first begins', 'first ends', 'second begins', 'second ends']);
});

test('KeyedMutex.run: tasks of different keys run side by side', async () => {
  const mutex = new KeyedMutex<string>();
  const log: string[] = [];
  const [first, second] = [task(log, 'first'), task(log, 'second')];
  const results = Promise.all([mutex.run('one', first.run), mutex.run('two', second.run)]);
  await settle();
  assert.deepEqual(log, ['first begins', 'second begins']);
  first.finish();
  second.finish();
  await results;
});

test('KeyedMutex.run: a task that fails rejects its own caller and lets the next one run', async () => {
  const mutex = new KeyedMutex<string>();
  const failing = mutex.run('key', () => Promise.reject(new Error('broken')));
  const next = mutex.run('key', () => Promise.resolve('ran'));
  await assert.rejects(failing, /broken/);
  assert.equal(await next, 'ran');
});
