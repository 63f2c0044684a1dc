import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BlockInput } from '../../src/tar/block-input.ts';

test('however the bytes arrive and are taken, they come out in order', () => {
  const portions = fc.array(fc.tuple(fc.nat(2), fc.nat(20)), { maxLength: 40 });
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 12 })), portions, (pieces, calls) => {
      const input = new BlockInput();
      for (const piece of pieces) input.feed(piece);
      const all = Buffer.concat(pieces);
      let at = 0;
      for (const [how, length] of calls) {
        assert.equal(input.position, at);
        assert.equal(input.size, all.length - at);
        if (how === 0) at += input.drop(length);
        else {
          const taken = how === 1 ? input.take(length) : input.takeSome(length);
          if (taken === undefined) assert.ok(length === 0 || input.size < length || input.size === 0);
          else assert.deepEqual(Buffer.from(taken), all.subarray(at, at + taken.length));
          if (how === 1 && taken !== undefined) assert.equal(taken.length, length);
          at += taken?.length ?? 0;
        }
      }
    }),
  );
});

test('a portion within one piece is not copied', () => {
  const piece = Buffer.from('abcdef');
  const input = new BlockInput();
  input.feed(piece);
  assert.equal(input.take(3)?.buffer, piece.buffer);
});
