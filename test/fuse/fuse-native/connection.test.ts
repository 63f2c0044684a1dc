/** With a stand-in for fuse-native; the real one is in test/kernel/fuse-native-connection.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../../../src/base/log.ts';
import { FuseNativeConnection } from '../../../src/fuse/fuse-native/connection.ts';
import type { FuseNativeLibrary, FuseNativeOptions } from '../../../src/native/fuse-native.ts';
import { FakeTree } from './fake-tree.ts';

function library(outcome: Error | undefined, seen: (options: FuseNativeOptions) => void): FuseNativeLibrary {
  return class {
    constructor(_mountPoint: string, _operations: unknown, options: FuseNativeOptions) {
      seen(options);
    }
    mount(done: (error?: Error) => void): void {
      done(outcome);
    }
  } as FuseNativeLibrary;
}

const common = {
  name: 'projections',
  fileSystem: new FakeTree(),
  allowOther: true,
  log: silentLog,
  onEnd: () => undefined,
  onLapsed: () => undefined,
};

test('the kernel keeps names for half a lease, checks permissions, and libfuse hides nothing', async () => {
  let options: FuseNativeOptions | undefined;
  const connection = await FuseNativeConnection.mount({
    ...common,
    mountPoint: '/x',
    leaseMs: 60_000,
    library: library(undefined, (given) => {
      options = given;
    }),
  });
  connection.close();
  assert.deepEqual(options, {
    allowOther: true,
    defaultPermissions: true,
    kernelCache: true,
    fsname: 'dunnage,use_ino,hard_remove,negative_timeout=0',
    subtype: 'dunnage',
    entryTimeout: 30,
    attrTimeout: 30,
    timeout: false,
  });
  assert.deepEqual([connection.statistics().requests, connection.openHandles], [0, 0]);
});

test('a mount that fails, and a mount point that does not fit, are errors', async () => {
  const failing = library(new Error('fuse failed'), () => undefined);
  await assert.rejects(FuseNativeConnection.mount({ ...common, mountPoint: '/x', library: failing }), {
    code: 'IO',
    message: 'libfuse cannot mount /x: fuse failed',
  });
  await assert.rejects(
    FuseNativeConnection.mount({ ...common, mountPoint: `/${'x'.repeat(1023)}`, library: failing }),
    {
      code: 'NAME_TOO_LONG',
    },
  );
});
