import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeBatch, ReplyReader } from '../../src/mounts/agent-protocol.ts';

test('encodeBatch lays a batch out as native/README.md says', () => {
  const frame = encodeBatch(0x01020304, 'd', [
    { kind: 'mkdir', name: 'n', mode: 0o755 },
    { kind: 'symlink', name: 'l', target: 'täg' },
    { kind: 'rename', name: 'a', newName: 'b' },
    { kind: 'unlink', name: 'u' },
    { kind: 'rmdir', name: 'r' },
  ]);
  const expected = [
    '04030201',
    '0100',
    '64',
    '0500',
    '01',
    'ed010000',
    '0100',
    '6e',
    '0000',
    '02',
    '00000000',
    '0100',
    '6c',
    '0400',
    '74c3a467',
    '03',
    '00000000',
    '0100',
    '61',
    '0100',
    '62',
    '04',
    '00000000',
    '0100',
    '75',
    '0000',
    '05',
    '00000000',
    '0100',
    '72',
    '0000',
  ].join('');
  assert.equal(frame.subarray(4).toString('hex'), expected);
  assert.equal(frame.readUInt32LE(0), frame.length - 4);
});

test('encodeBatch carries the mode of whatever has one, and nothing in its place', () => {
  const frame = encodeBatch(1, '', [
    { kind: 'mknod', name: 'f', mode: 0o640 },
    { kind: 'modify', name: 'f' },
    { kind: 'chmod', name: 'f', mode: 0o7777 },
  ]);
  const expected = ['06a0010000', '0700000000', '08ff0f0000'].map((head) => `${head}0100660000`).join('');
  assert.equal(frame.subarray(12).toString('hex'), expected);
});

test('encodeBatch: what is mounted where is a name and a path', () => {
  const frame = encodeBatch(1, '', [
    { kind: 'attach', name: 'n', target: '/t' },
    { kind: 'detach', name: 'n' },
  ]);
  const expected = [
    '01000000',
    '0000',
    '0200',
    '09',
    '00000000',
    '0100',
    '6e',
    '0200',
    '2f74',
    '0a',
    '00000000',
    '0100',
    '6e',
    '0000',
  ];
  assert.equal(frame.subarray(4).toString('hex'), expected.join(''));
});

test('encodeBatch refuses names that no frame can carry', () => {
  assert.throws(() => encodeBatch(1, '', [{ kind: 'unlink', name: 'a\0b' }]), { code: 'INVALID_PATH' });
  assert.throws(() => encodeBatch(1, 'x'.repeat(65536), []), { code: 'NAME_TOO_LONG' });
});

test('ReplyReader puts replies together, however the bytes are cut', () => {
  const bytes = Buffer.from(
    '0e000000' + '07000000' + '0200' + '00000000' + '11000000' + '06000000' + '08000000' + '0000',
    'hex',
  );
  const expected = [
    { id: 7, outcomes: [0, 17] },
    { id: 8, outcomes: [] },
  ];
  for (let size = 1; size <= bytes.length; size++) {
    const reader = new ReplyReader();
    const replies = [];
    for (let at = 0; at < bytes.length; at += size) replies.push(...reader.push(bytes.subarray(at, at + size)));
    assert.deepEqual(replies, expected, `in pieces of ${size}`);
  }
});

test('ReplyReader refuses a length that is not that of its count', () => {
  assert.throws(() => new ReplyReader().push(Buffer.from('06000000070000000100', 'hex')), { code: 'CORRUPT' });
});
