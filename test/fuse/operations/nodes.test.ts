import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { describe, it } from 'node:test';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import { FATTR } from '../../../src/fuse/abi.ts';
import type { SetAttributesRequest } from '../../../src/vfs/file-system.ts';
import { ATTRIBUTES, FakeConnection, fileSystem } from '../fake-connection.ts';
import { type Field, u32, u64 } from '../request-bytes.ts';

const { EINVAL, EROFS, EACCES } = constants.errno;
const REPLY = { attributes: ATTRIBUTES, attributeTimeoutSeconds: 2 };

/** `struct fuse_setattr_in` with a recognisable value in every field. */
const setAttributesBody = (valid: number): Field[] => [
  u32(valid),
  u32(0),
  u64(2 ** 33),
  u64(2 ** 34),
  u64(2n ** 63n),
  u64(1),
  u64(2),
  u64(3),
  u32(4),
  u32(5),
  u32(6),
  u32(0o100751),
  u32(0),
  u32(1001),
  u32(1002),
  u32(0),
];

describe('operations on nodes', () => {
  it('GETATTR passes the handle only if there is one', () => {
    const handles: unknown[] = [];
    const fake = new FakeConnection(
      fileSystem({
        getAttributes: (_caller, nodeId, handle) => {
          handles.push([nodeId, handle]);
          return REPLY;
        },
      }),
    );
    assert.equal(fake.ask('GETATTR', { nodeId: 9, body: [u32(0), u32(0), u64(5)] })?.body.length, 104);
    fake.ask('GETATTR', { nodeId: 9, body: [u32(1), u32(0), u64(5)] });
    assert.deepEqual(handles, [
      [9, undefined],
      [9, 5],
    ]);
    assert.equal(fake.ask('GETATTR', { body: [u32(1)] })?.errno, EINVAL);
  });

  it('SETATTR passes exactly what is to be set', () => {
    const requests: SetAttributesRequest[] = [];
    const fake = new FakeConnection(
      fileSystem({
        getAttributes: () => REPLY,
        setAttributes: (_caller, _nodeId, request) => {
          requests.push(request);
          return REPLY;
        },
      }),
    );
    fake.ask('SETATTR', { body: setAttributesBody(FATTR.SIZE | FATTR.FH | FATTR.LOCKOWNER) });
    fake.ask('SETATTR', { body: setAttributesBody(FATTR.MODE | FATTR.KILL_SUIDGID) });
    fake.ask('SETATTR', { body: setAttributesBody(FATTR.UID | FATTR.GID) });
    assert.deepEqual(requests, [{ sizeBytes: 2 ** 34, handle: 2 ** 33 }, { mode: 0o751 }, { uid: 1001, gid: 1002 }]);
  });

  it('SETATTR of nothing is a GETATTR, of times is refused, cut off is refused', () => {
    let set = 0;
    const fake = new FakeConnection(
      fileSystem({
        getAttributes: () => REPLY,
        setAttributes: () => {
          set += 1;
          return REPLY;
        },
      }),
    );
    assert.equal(fake.ask('SETATTR', { body: setAttributesBody(FATTR.KILL_SUIDGID) })?.errno, 0);
    for (const times of [FATTR.ATIME, FATTR.MTIME_NOW, FATTR.MTIME | FATTR.SIZE, FATTR.CTIME]) {
      assert.equal(fake.ask('SETATTR', { body: setAttributesBody(times) })?.errno, EROFS);
    }
    assert.equal(fake.ask('SETATTR', { body: setAttributesBody(FATTR.SIZE).slice(0, 14) })?.errno, EINVAL);
    assert.equal(set, 0);
  });

  it('SETATTR is refused where nothing can be set', () => {
    const fake = new FakeConnection(fileSystem({ getAttributes: () => REPLY }));
    assert.equal(fake.ask('SETATTR', { body: setAttributesBody(FATTR.MODE) })?.errno, EROFS);
    assert.equal(fake.ask('SETATTR', { body: setAttributesBody(0) })?.errno, 0);
  });

  it('READLINK answers the bytes of the target', () => {
    const fake = new FakeConnection(fileSystem({ readLink: () => '..data/größe' }));
    assert.equal(fake.ask('READLINK')?.body.toString(), '..data/größe');
    assert.equal(new FakeConnection(fileSystem()).ask('READLINK')?.errno, EINVAL);
  });

  it('STATFS asks for the object of the node', () => {
    const fake = new FakeConnection(
      fileSystem({
        statFileSystem: (_caller, nodeId) => ({
          blockSizeBytes: 4096,
          blocks: nodeId,
          blocksFree: 0,
          blocksAvailable: 0,
          files: 0,
          filesFree: 0,
          nameBytesMax: 255,
        }),
      }),
    );
    assert.equal(fake.ask('STATFS', { nodeId: 12345 })?.body.readBigUInt64LE(0), 12345n);
  });

  it('ACCESS passes the mask', async () => {
    const fake = new FakeConnection(
      fileSystem({
        access: async (_caller, _nodeId, mask) => {
          if (mask === 2) throw new DunnageError('PERMISSION_DENIED', 'not for you');
        },
      }),
    );
    fake.ask('ACCESS', { body: [u32(4), u32(0)] });
    fake.ask('ACCESS', { body: [u32(2), u32(0)] });
    await fake.channel.replyCount(2);
    assert.deepEqual(
      fake.channel.replies.map(({ errno }) => errno),
      [0, EACCES],
    );
  });
});
