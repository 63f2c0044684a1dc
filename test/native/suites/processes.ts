import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { loadNative } from '../../../src/native/load.ts';

describe('openProcess and signalProcess', () => {
  it('signal the process that was opened, and say when it is gone', async () => {
    const native = loadNative();
    const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
    const descriptor = native.openProcess(child.pid ?? 0);
    assert.equal(native.signalProcess(descriptor, 0), true);
    assert.equal(native.signalProcess(descriptor, 15), true);
    assert.deepEqual(await once(child, 'exit'), [null, 'SIGTERM']);
    assert.equal(native.signalProcess(descriptor, 0), false);
    native.closeDescriptor(descriptor);
  });

  it('refuse a process that does not exist and a signal that does not', () => {
    const native = loadNative();
    // The kernel's largest process number is far below.
    assert.throws(() => native.openProcess(2 ** 31 - 1), { code: 'ESRCH', syscall: 'pidfd_open' });
    assert.throws(() => native.openProcess(-1), { code: 'EINVAL' });
    const own = native.openProcess(process.pid);
    assert.throws(() => native.signalProcess(own, 4096), { code: 'EINVAL', syscall: 'pidfd_send_signal' });
    native.closeDescriptor(own);
  });
});
