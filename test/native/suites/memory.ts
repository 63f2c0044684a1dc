import assert from 'node:assert/strict';
import { fstatSync, ftruncateSync, readFileSync, readSync } from 'node:fs';
import { test } from 'node:test';
import { loadNative } from '../../../src/native/load.ts';

const native = loadNative();

test('two mappings of one memfd and its descriptor show the same bytes', () => {
  const memory = native.createMemfd('dunnage-test', 8192);
  const first = new Uint8Array(native.mapShared(memory, 8192));
  const second = new Uint8Array(native.mapShared(memory, 8192));
  first.set([1, 2, 3], 4096);
  assert.deepEqual([...second.subarray(4096, 4100)], [1, 2, 3, 0]);
  const read = Buffer.alloc(3);
  readSync(memory, read, 0, 3, 4096);
  assert.deepEqual([...read], [1, 2, 3]);
  native.closeDescriptor(memory);
  second[0] = 9;
  assert.equal(first[0], 9, 'the mapping outlives the descriptor');
});

test('a memfd cannot shrink beneath its mappings but may grow', () => {
  const memory = native.createMemfd('dunnage-test', 4096);
  assert.throws(() => ftruncateSync(memory, 0), { code: 'EPERM' });
  ftruncateSync(memory, 8192);
  assert.equal(fstatSync(memory).size, 8192);
  native.closeDescriptor(memory);
});

test('what would fault when touched is not mapped', () => {
  const memory = native.createMemfd('dunnage-test', 4096);
  assert.throws(() => native.mapShared(memory, 4097), { code: 'EINVAL' });
  assert.throws(() => native.mapShared(memory, 0), { code: 'EINVAL' });
  native.closeDescriptor(memory);
  assert.throws(() => native.mapShared(memory, 4096), { code: 'EBADF' });
});

/** What the kernel says about the mapping of that memfd: its flags, and how much of it is locked, in KiB. */
function mappingOf(name: string): { readonly flags: readonly string[]; readonly lockedKib: number } {
  const maps = readFileSync('/proc/self/smaps', 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const mapping = maps.find((text) => text.includes(`/memfd:${name}`)) ?? '';
  const field = (key: string): string => new RegExp(`^${key}:\\s*(.*)$`, 'm').exec(mapping)?.[1] ?? '';
  return { flags: field('VmFlags').split(' '), lockedKib: Number.parseInt(field('Locked'), 10) };
}

test('lockMemory keeps a mapping out of swap, core dumps and forked children', () => {
  const memory = native.createMemfd('dunnage-locked', 4096);
  const bytes = new Uint8Array(native.mapShared(memory, 4096));
  assert.deepEqual(mappingOf('dunnage-locked').lockedKib, 0);
  assert.equal(native.lockMemory(bytes), 0);
  bytes[0] = 1;
  const { flags, lockedKib } = mappingOf('dunnage-locked');
  assert.ok(
    ['lo', 'dd', 'dc'].every((flag) => flags.includes(flag)),
    flags.join(' '),
  );
  assert.equal(lockedKib, 4);
  native.closeDescriptor(memory);
});

test('lockMemory refuses memory that is no mapping of its own', () => {
  assert.throws(() => native.lockMemory(Buffer.alloc(65_536).subarray(1, 8192)), {
    code: 'EINVAL',
    syscall: 'madvise',
  });
});

test('dropMappedPages leaves mappings that can be written to alone, and files that are not mapped', () => {
  const memory = native.createMemfd('dunnage-test', 4096);
  const bytes = new Uint8Array(native.mapShared(memory, 4096));
  bytes.set([1, 2, 3]);
  native.dropMappedPages('/memfd:dunnage-test (deleted)');
  native.dropMappedPages('/no/such/file');
  assert.deepEqual([...bytes.subarray(0, 4)], [1, 2, 3, 0]);
  native.closeDescriptor(memory);
});
