/** The addon against its contract, part by part. What needs a real mount is in test/kernel/native-channel.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NativeBinding } from '../../src/native/binding.ts';
import { loadNative } from '../../src/native/load.ts';
import './suites/block-devices.ts';
import './suites/channel.ts';
import './suites/descriptors.ts';
import './suites/device-mapper.ts';
import './suites/flush.ts';
import './suites/loop-devices.ts';
import './suites/memory.ts';
import './suites/nodes.ts';
import './suites/processes.ts';
import './suites/reflink.ts';
import './suites/sockets.ts';
import './suites/teardown.ts';
import './suites/watch.ts';

/** The compiler wants every name of the contract here, and no other. */
const CONTRACT: Record<keyof NativeBinding, true> = {
  openFuseDevice: true,
  mountFuse: true,
  unmount: true,
  bindMount: true,
  setMountReadOnly: true,
  setPropagation: true,
  socketPair: true,
  connectSeqpacket: true,
  sendMessage: true,
  receiveMessage: true,
  watchReadable: true,
  inotifyOpen: true,
  inotifyAdd: true,
  inotifyRemove: true,
  createMemfd: true,
  mapShared: true,
  lockMemory: true,
  dropMappedPages: true,
  tryLock: true,
  openBeneath: true,
  closeDescriptor: true,
  openProcess: true,
  signalProcess: true,
  setNonBlocking: true,
  forbidCoreDumps: true,
  hasWriter: true,
  openNode: true,
  statNode: true,
  listNodes: true,
  readLinkText: true,
  readSmallFile: true,
  makeNode: true,
  makeSymlink: true,
  makeLink: true,
  removeNode: true,
  renameNode: true,
  setOwner: true,
  setTimes: true,
  syncFileSystem: true,
  listXattrs: true,
  getXattr: true,
  setXattr: true,
  removeXattr: true,
  seekData: true,
  seekHole: true,
  createChannel: true,
  createLoopback: true,
  loopbackMemoryBytes: true,
  flushThenWrite: true,
  writeThrough: true,
  deviceMapperCommand: true,
  makeDeviceNode: true,
  blockDeviceSize: true,
  discardBlocks: true,
  attachLoop: true,
  loopStatus: true,
  listLoops: true,
  detachLoop: true,
  keepLoop: true,
  emptyLoop: true,
  growLoop: true,
  createUnnamedFile: true,
  cloneToUnnamedFile: true,
  nameFiles: true,
  fileExtents: true,
  allocateSpace: true,
  thawFileSystem: true,
  flushFileSystem: true,
  setXattrInPool: true,
};

test('the addon exports the functions of the contract and nothing else', () => {
  assert.deepEqual(Object.keys(loadNative()).sort(), Object.keys(CONTRACT).sort());
});

test('every function refuses missing arguments with a TypeError instead of crashing', () => {
  const withoutArguments = new Set([
    'openFuseDevice',
    'forbidCoreDumps',
    'inotifyOpen',
    'listLoops',
    'loopbackMemoryBytes',
  ]);
  for (const [name, call] of Object.entries(loadNative())) {
    if (!withoutArguments.has(name)) assert.throws(() => (call as () => void)(), TypeError, name);
  }
});

test('errors of system calls have the shape of those of node:fs', () => {
  assert.throws(() => loadNative().unmount('/no/such/place', false), {
    code: 'ENOENT',
    errno: 2,
    syscall: 'umount2',
    message: "ENOENT: no such file or directory, umount2 '/no/such/place'",
  });
});
