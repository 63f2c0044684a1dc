import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { HIGH, highWord, joinWords, LOW } from '../../src/fuse/words.ts';

describe('words', () => {
  it('join and split every safe integer without loss', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        assert.equal(joinWords(value >>> 0, highWord(value)), value);
      }),
    );
  });

  it('refuse what is 2^53 or more', () => {
    assert.equal(joinWords(0xffff_ffff, 0x1f_ffff), Number.MAX_SAFE_INTEGER);
    assert.equal(joinWords(0, 0x20_0000), -1);
    assert.equal(joinWords(0xffff_ffff, 0xffff_ffff), -1);
  });

  it('lie as the host has them', () => {
    const words = new Uint32Array(new BigUint64Array([0x11_0000_0022n]).buffer);
    assert.deepEqual([words[LOW], words[HIGH]], [0x22, 0x11]);
  });
});
