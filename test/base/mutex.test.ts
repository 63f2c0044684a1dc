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

test('KeyedMutex.run: a failing task of one key leaves the other keys alone', async () => {
  const mutex = new KeyedMutex<string>();
  const log: string[] = [];
  const other = task(log, 'other');
  const waiting = mutex.run('other', other.run);
  await assert.rejects(
    mutex.run('key', () => Promise.reject(new Error('broken'))),
    /broken/,
  );
  assert.deepEqual(log, ['other begins']);
  other.finish();
  assert.equal(await waiting, 'other');
});

test('KeyedMutex.run: many tasks never overlap, whatever their ends, and keep their order', async () => {
  const mutex = new KeyedMutex<number>();
  const order: number[] = [];
  let inside = 0;
  const results = await Promise.allSettled(
    Array.from({ length: 50 }, (_, index) =>
      mutex.run(7, async () => {
        inside += 1;
        assert.equal(inside, 1);
        await settle();
        order.push(index);
        inside -= 1;
        if (index % 3 === 0) throw new Error(`task ${index}`);
      }),
    ),
  );
  assert.deepEqual(order, [...Array(50).keys()]);
  results.forEach((result, index) => {
    assert.equal(result.status, index % 3 === 0 ? 'rejected' : 'fulfilled', `task ${index}`);
  });
});

test('KeyedMutex.run: a task that comes after the queue ran empty runs at once', async () => {
  const mutex = new KeyedMutex<string>();
  await mutex.run('key', () => Promise.resolve());
  const log: string[] = [];
  const late = task(log, 'late');
  const running = mutex.run('key', late.run);
  await settle();
  assert.deepEqual(log, ['late begins']);
  late.finish();
  await running;
});
