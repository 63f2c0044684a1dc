import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Log } from '../../src/base/log.ts';
import { RequestReader } from '../../src/fuse/decode.ts';
import { InFlight } from '../../src/fuse/in-flight.ts';
import { PendingRequest } from '../../src/fuse/pending-request.ts';
import { requestBytes } from './request-bytes.ts';

function pending(unique: number): PendingRequest {
  const request = requestBytes({ opcode: 15, unique: BigInt(unique), nodeId: 5 });
  const buffer = new ArrayBuffer(4096);
  Buffer.from(buffer).set(request);
  const reader = new RequestReader(buffer);
  assert.ok(reader.begin(request.length));
  return new PendingRequest(reader);
}

function tracked(): { inFlight: InFlight; warnings: unknown[]; setNow: (ms: number) => void } {
  const warnings: unknown[] = [];
  const ignore = (): void => undefined;
  const log: Log = { debug: ignore, info: ignore, error: ignore, warn: (fields) => void warnings.push(fields) };
  let nowMs = 0;
  const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
  const setNow = (ms: number): void => {
    nowMs = ms;
  };
  return { inFlight: new InFlight({ name: 'test', unansweredMs: 1000, clock, log }), warnings, setNow };
}

describe('InFlight', () => {
  it('logs an unanswered request once, counts it, and lets it go when it is answered', (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] });
    const { inFlight, warnings, setNow } = tracked();
    const slow = pending(2);
    inFlight.add(slow);
    setNow(1000);
    context.mock.timers.tick(1000);
    assert.deepEqual(
      [warnings, inFlight.unansweredNow, inFlight.unansweredEver],
      [[{ connection: 'test', operation: 'READ', node: 5, ageMs: 1000 }], 1, 1],
    );
    setNow(5000);
    context.mock.timers.tick(4000);
    assert.equal(warnings.length, 1);
    inFlight.remove(slow);
    assert.deepEqual([inFlight.size, inFlight.unansweredNow, inFlight.unansweredEver], [0, 0, 1]);
  });

  it('does not blame a young request for the age of an old one', (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] });
    const { inFlight, warnings, setNow } = tracked();
    inFlight.add(pending(2));
    setNow(900);
    inFlight.add(pending(4));
    setNow(1000);
    context.mock.timers.tick(1000);
    assert.equal(warnings.length, 1);
    setNow(2000);
    context.mock.timers.tick(1000);
    assert.equal(warnings.length, 2);
    inFlight.abandon();
  });

  it('interrupts the request meant, and ignores one that is gone', () => {
    const { inFlight } = tracked();
    const [one, two] = [pending(2), pending(4)];
    inFlight.add(one);
    inFlight.add(two);
    inFlight.interrupt(4, 0);
    inFlight.interrupt(6, 0);
    assert.deepEqual([one.signal.aborted, two.signal.aborted], [false, true]);
    inFlight.abandon();
    assert.equal(one.signal.aborted, true);
    assert.equal(inFlight.size, 0);
  });

  it('adopts the new unique of a request that the kernel sends again while it is worked on', () => {
    const { inFlight } = tracked();
    const request = pending(2);
    inFlight.add(request);
    assert.equal(inFlight.adopt(2, 0x8000_0000), true);
    assert.equal(request.uniqueHigh, 0x8000_0000);
    assert.equal(inFlight.adopt(8, 0x8000_0000), false);
    inFlight.remove(request);
    assert.equal(inFlight.size, 0);
  });
});
