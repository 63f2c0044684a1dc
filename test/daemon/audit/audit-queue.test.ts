import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditBatch, AuditEvent } from '../../../src/daemon/audit/audit-event.ts';
import { AuditQueue } from '../../../src/daemon/audit/audit-queue.ts';

const event = (path: string): AuditEvent => ({
  timeMs: 1,
  view: 'projections',
  projection: 'web',
  path,
  generation: 1,
  uid: 0,
  gid: 0,
  pid: 1,
  program: undefined,
  command: undefined,
  repeated: false,
});

function makeQueue(room: number): { queue: AuditQueue; sent: AuditBatch[]; turn: () => void } {
  const sent: AuditBatch[] = [];
  const due: (() => void)[] = [];
  const queue = new AuditQueue({
    room,
    send: (batch) => sent.push(batch),
    soon: (callback) => due.push(callback),
  });
  const turn = (): void => {
    for (const callback of due.splice(0)) callback();
  };
  return { queue, sent, turn };
}

const paths = ({ events, lost }: AuditBatch): unknown => [events.map(({ path }) => path), lost];

test('AuditQueue hands over what came in one turn as one batch, in order', () => {
  const { queue, sent, turn } = makeQueue(10);
  queue.add(event('a'));
  queue.add(event('b'));
  assert.deepEqual(sent, []);
  turn();
  queue.add(event('c'));
  turn();
  assert.deepEqual(sent.map(paths), [
    [['a', 'b'], 0],
    [['c'], 0],
  ]);
});

test('AuditQueue takes no more than there is room for until something was written, and counts the rest', () => {
  const { queue, sent, turn } = makeQueue(2);
  for (const path of ['a', 'b', 'c', 'd']) queue.add(event(path));
  turn();
  queue.add(event('e'));
  turn();
  assert.deepEqual(sent.map(paths), [[['a', 'b'], 2]]);
  queue.written(2);
  turn();
  queue.add(event('f'));
  turn();
  assert.deepEqual(sent.slice(1).map(paths), [
    [[], 1],
    [['f'], 0],
  ]);
});

test('AuditQueue.flush hands over at once what waits, and nothing twice', () => {
  const { queue, sent, turn } = makeQueue(2);
  queue.add(event('a'));
  queue.flush();
  queue.flush();
  turn();
  assert.deepEqual(sent.map(paths), [[['a'], 0]]);
});
