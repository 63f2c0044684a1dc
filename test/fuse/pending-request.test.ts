import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RequestReader } from '../../src/fuse/decode.ts';
import { PendingRequest, requestKey } from '../../src/fuse/pending-request.ts';
import { requestBytes } from './request-bytes.ts';

function pending(unique: bigint): PendingRequest {
  const request = requestBytes({ opcode: 15, unique, nodeId: 5, uid: 6, gid: 7, pid: 8 });
  const buffer = new ArrayBuffer(4096);
  Buffer.from(buffer).set(request);
  const reader = new RequestReader(buffer);
  assert.ok(reader.begin(request.length));
  return new PendingRequest(reader);
}

describe('PendingRequest', () => {
  it('keeps who asked after the reader went on', () => {
    const { opcode, nodeId, uid, gid, pid, resent } = pending(10n);
    assert.deepEqual([opcode, nodeId, uid, gid, pid, resent], [15, 5, 6, 7, 8, false]);
  });

  it('has the same key when it is sent again', () => {
    assert.equal(pending(10n).key, pending(10n | (1n << 63n)).key);
    assert.notEqual(pending(10n).key, pending(10n | (1n << 32n)).key);
    assert.equal(requestKey(10, 0x8000_0000), 10);
  });

  it('aborts its signal, whether that was asked for before or after the interrupt', () => {
    const early = pending(2n);
    const { signal } = early;
    assert.equal(signal.aborted, false);
    early.interrupt();
    assert.equal(signal.aborted, true);
    const late = pending(4n);
    late.interrupt();
    assert.equal(late.signal.aborted, true);
    assert.equal(late.signal, late.signal);
  });
});
