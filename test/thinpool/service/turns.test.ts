import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PoolTurns } from '../../../src/thinpool/service/turns.ts';

interface Step {
  readonly run: () => Promise<void>;
  end(): void;
}

function step(log: string[], name: string): Step {
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const run = async (): Promise<void> => {
    log.push(`${name} begins`);
    await ended;
    log.push(`${name} ends`);
  };
  return { run, end };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test('those who share run side by side, who wants it alone waits for them, and who comes later for him', async () => {
  const [turns, log] = [new PoolTurns(), [] as string[]];
  const [a, b, alone, c] = ['a', 'b', 'alone', 'c'].map((name) => step(log, name)) as [Step, Step, Step, Step];
  const all = [
    turns.shared('p', a.run),
    turns.shared('p', b.run),
    turns.alone('p', alone.run),
    turns.shared('p', c.run),
  ];
  await settled();
  assert.deepEqual(log, ['a begins', 'b begins']);
  assert.equal(await turns.sharedNow('p', async () => 1), undefined);
  assert.equal(await turns.sharedNow('other', async () => 1), 1);
  a.end();
  b.end();
  await settled();
  assert.equal(log.at(-1), 'alone begins');
  alone.end();
  await settled();
  assert.equal(log.at(-1), 'c begins');
  assert.equal(await turns.sharedNow('p', async () => 2), 2);
  c.end();
  await Promise.all(all);
  await turns.ended();
});

test('what fails does not hold up the next, and is told to who asked', async () => {
  const turns = new PoolTurns();
  const fail = async (): Promise<never> => {
    throw new Error('x');
  };
  const failures = [turns.shared('p', fail), turns.alone('p', fail), turns.shared('p', fail)];
  assert.deepEqual(
    (await Promise.allSettled(failures)).map(({ status }) => status),
    ['rejected', 'rejected', 'rejected'],
  );
  assert.equal(await turns.alone('p', async () => 3), 3);
});
