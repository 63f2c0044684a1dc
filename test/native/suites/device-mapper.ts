/** What can be said without a device-mapper; with one, test/kernel/device-mapper.test.ts says the rest. */
import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { describe, it } from 'node:test';
import { loadNative } from '../../../src/native/load.ts';

const HEADER_BYTES = 312;

function message(lengthBytes: number, saidBytes: number = lengthBytes): Buffer {
  const bytes = Buffer.alloc(lengthBytes);
  if (lengthBytes >= 20) bytes.writeUInt32LE(saidBytes, 12);
  return bytes;
}

describe('deviceMapperCommand', () => {
  it('refuses a message that is not as long as it says: the kernel would go beyond it', () => {
    const { deviceMapperCommand } = loadNative();
    for (const wrong of [
      message(0),
      message(HEADER_BYTES - 1),
      message(HEADER_BYTES, 400),
      message(400, HEADER_BYTES),
    ]) {
      assert.throws(() => deviceMapperCommand(0, 0, wrong), { code: 'EINVAL' });
    }
    const behind = message(HEADER_BYTES);
    behind.writeUInt32LE(HEADER_BYTES + 1, 16);
    assert.throws(() => deviceMapperCommand(0, 0, behind), { code: 'EINVAL' });
    assert.throws(() => deviceMapperCommand(0, 32, message(HEADER_BYTES)), { code: 'EINVAL' });
  });

  it('rejects with what the kernel says', async () => {
    const descriptor = openSync('/dev/null', 'r+');
    try {
      const command = loadNative().deviceMapperCommand(descriptor, 0, message(HEADER_BYTES));
      await assert.rejects(command, { code: 'ENOTTY', syscall: 'ioctl' });
    } finally {
      closeSync(descriptor);
    }
  });
});
