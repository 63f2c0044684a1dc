import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BatchReader, encodeReply } from '../../src/mounts/agent-batches.ts';
import { type AgentOperation, encodeBatch, ReplyReader } from '../../src/mounts/agent-protocol.ts';

const OPERATIONS: readonly AgentOperation[] = [
  { kind: 'mkdir', name: '..ts', mode: 0o755 },
  { kind: 'symlink', name: 'ключ', target: '..data/ключ' },
  { kind: 'rename', name: '..data_tmp', newName: '..data' },
  { kind: 'unlink', name: 'stale' },
  { kind: 'rmdir', name: 'gone' },
];

test('batches come out as they were sent, whatever pieces they arrive in', () => {
  const frames = Buffer.concat([encodeBatch(7, 'p', OPERATIONS), encodeBatch(0xffff_ffff, '', [])]);
  for (const pieceBytes of [1, 5, frames.length]) {
    const reader = new BatchReader();
    const batches = [];
    for (let at = 0; at < frames.length; at += pieceBytes)
      batches.push(...reader.push(frames.subarray(at, at + pieceBytes)));
    assert.deepEqual(batches, [
      { id: 7, directory: 'p', operations: OPERATIONS },
      { id: 0xffff_ffff, directory: '', operations: [] },
    ]);
  }
});

test('what is no batch is refused', () => {
  const whole = encodeBatch(7, 'p', OPERATIONS);
  const tooLong = Buffer.from(whole);
  tooLong.writeUInt32LE(0xffff_ffff, 0);
  const surplus = Buffer.concat([whole, Buffer.from('x')]);
  surplus.writeUInt32LE(whole.length - 3, 0);
  const cut = Buffer.from(whole.subarray(0, -1));
  cut.writeUInt32LE(cut.length - 4, 0);
  const unknown = encodeBatch(1, '', [{ kind: 'rmdir', name: 'x' }]);
  unknown.writeUInt8(9, 12);
  for (const bytes of [tooLong, surplus, cut, unknown]) {
    assert.throws(() => new BatchReader().push(bytes), { code: 'CORRUPT' });
  }
});

test('a reply is one that the daemon reads', () => {
  const bytes = Buffer.concat([encodeReply(3, [0, 0, 17]), encodeReply(4, [])]);
  assert.deepEqual(new ReplyReader().push(bytes), [
    { id: 3, outcomes: [0, 0, 17] },
    { id: 4, outcomes: [] },
  ]);
});
