import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AllocTurns } from '../../../src/alloc/service/alloc-turns.ts';

/** A task that runs until it is told to end. */
function held(log: string[], name: string): { readonly task: () => Promise<void>; end(error?: Error): void } {
  let end: (error?: Error) => void = () => undefined;
  const ended = new Promise<void>((resolve, reject) => {
    end = (error) => (error === undefined ? resolve() : reject(error));
  });
  return {
    task: async () => {
      log.push(name);
      await ended;
    },
    end: (error) => end(error),
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('work on one alloc is done one after another, and that on others beside it', async () => {
  const turns = new AllocTurns();
  const log: string[] = [];
  const first = held(log, 'a1');
  const running = turns.run(['a'], first.task);
  const waiting = turns.run(['a'], async () => void log.push('a2'));
  await turns.run(['b'], async () => void log.push('b'));
  assert.deepEqual(log, ['a1', 'b']);
  first.end(new Error('broken'));
  await assert.rejects(running, /broken/);
  await waiting;
  assert.deepEqual(log, ['a1', 'b', 'a2']);
});

test('two that want the same allocs in another order do not wait for each other for ever', async () => {
  const turns = new AllocTurns();
  const log: string[] = [];
  const first = held(log, 'one');
  const one = turns.run(['b', 'a'], first.task);
  const two = turns.run(['a', 'b'], async () => void log.push('two'));
  const three = turns.run(['a', 'a'], async () => void log.push('three'));
  await turn();
  assert.deepEqual(log, ['one']);
  first.end();
  await Promise.all([one, two, three]);
  assert.deepEqual(new Set(log), new Set(['one', 'two', 'three']));
});

test('it is settled when what waits, and what that has begun, is through', async () => {
  const turns = new AllocTurns();
  const log: string[] = [];
  const first = held(log, 'first');
  const running = turns.run(['a'], async () => {
    await first.task();
    void turns.run(['b'], async () => {
      await turn();
      log.push('begun');
    });
  });
  const settled = turns.settled().then(() => log.push('settled'));
  await turn();
  assert.deepEqual(log, ['first']);
  first.end();
  await Promise.all([running, settled]);
  assert.deepEqual(log, ['first', 'begun', 'settled']);
});
