import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { limits } from '../../src/base/limits.ts';
import { plainDigest } from '../../src/store/digest.ts';
import { seal, sealedSizeBytes, sealedSpan, unseal } from '../../src/store/sealed-content.ts';

const CHUNK = limits.sealedChunkBytes;
const SEALED_CHUNK = CHUNK + 28;
const key = randomBytes(32);
const digest = plainDigest(Buffer.from('name'));
const corrupt = { code: 'CORRUPT' };

test('any range of any content opens to the plain bytes, from the chunks it touches only', () => {
  const sizes = fc.constantFrom(0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5);
  fc.assert(
    fc.property(
      sizes,
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (size, from, to) => {
        const plain = randomBytes(size);
        const sealed = seal(key, digest, plain);
        assert.equal(sealed.length, sealedSizeBytes(size));
        const offset = Math.floor(from * size);
        const end = offset + Math.floor(to * (size - offset));
        const span = sealedSpan(size, offset, end);
        assert(span.sealedSizeBytes <= (Math.ceil((end - offset) / CHUNK) + 1) * SEALED_CHUNK);
        const part = sealed.subarray(span.sealedOffsetBytes, span.sealedOffsetBytes + span.sealedSizeBytes);
        const opened = unseal(key, digest, size, span.firstChunk, part);
        const start = offset - span.firstChunk * CHUNK;
        assert(opened.subarray(start, start + end - offset).equals(plain.subarray(offset, end)));
      },
    ),
    { numRuns: 60 },
  );
});

test('the same content is sealed differently each time', () => {
  assert.notDeepEqual(seal(key, digest, Buffer.from('x')), seal(key, digest, Buffer.from('x')));
});

test('a changed bit anywhere is found', () => {
  const plain = randomBytes(200);
  const sealed = seal(key, digest, plain);
  for (let position = 0; position < sealed.length; position += 1) {
    const changed = Buffer.from(sealed);
    changed.writeUInt8(changed.readUInt8(position) ^ 1, position);
    assert.throws(() => unseal(key, digest, plain.length, 0, changed), corrupt);
  }
});

test('chunks cannot change places, be cut off, be extended or stand for another blob', () => {
  const size = 3 * CHUNK;
  const sealed = seal(key, digest, randomBytes(size));
  const chunk = (index: number): Buffer => sealed.subarray(index * SEALED_CHUNK, (index + 1) * SEALED_CHUNK);
  assert.doesNotThrow(() => unseal(key, digest, size, 1, chunk(1)));
  assert.throws(() => unseal(key, digest, size, 0, Buffer.concat([chunk(1), chunk(0), chunk(2)])), corrupt, 'swapped');
  assert.throws(
    () => unseal(key, digest, 2 * CHUNK, 0, Buffer.concat([chunk(0), chunk(1)])),
    corrupt,
    'cut off at a chunk',
  );
  assert.throws(
    () => unseal(key, digest, size, 0, sealed.subarray(0, sealed.length - 1)),
    corrupt,
    'cut off inside a chunk',
  );
  assert.throws(() => unseal(key, digest, size, 0, sealed.subarray(0, 5)), corrupt, 'next to nothing left');
  assert.throws(() => unseal(key, digest, size + 1, 2, chunk(2)), corrupt, 'the last chunk is no longer the last');
  assert.throws(() => unseal(key, plainDigest(Buffer.from('other')), size, 0, sealed), corrupt, 'another digest');
  assert.throws(() => unseal(randomBytes(32), digest, size, 0, sealed), corrupt, 'another key');
});
