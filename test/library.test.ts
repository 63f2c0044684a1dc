/** The library as the README shows it. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import * as library from '../src/index.ts';

describe('the public face', () => {
  it('exports what the README uses, and the errors', () => {
    const names = [
      'AllocDir',
      'AllocFiles',
      'AllocFilesClient',
      'AllocGRPCSocket',
      'AllocHTTPSocket',
      'AtomicWriter',
      'ControlClient',
      'DEVICE_STATES',
      'DeviceMapperDriver',
      'DunnageError',
      'ERROR_TABLE',
      'LogDirName',
      'MountedProjection',
      'MountsInUse',
      'PlainDirectory',
      'PoolDevice',
      'PoolMetadata',
      'PoolSpace',
      'ReflinkDriver',
      'SharedAllocContainerPath',
      'SharedAllocDirs',
      'SharedAllocName',
      'SharedDataDir',
      'SnapshotErrorFilename',
      'SnapshotErrorTime',
      'TaskDir',
      'TaskDirs',
      'TaskLocal',
      'TaskLocalContainerPath',
      'TaskPrivate',
      'TaskSecrets',
      'TaskSecretsContainerPath',
      'TmpDirName',
      'createDeviceMapperPool',
      'loadConfig',
      'loadNative',
      'makePoolFiles',
      'parsePoolConfig',
      'removeLeftovers',
      'resolveUser',
      'runDaemon',
      'streamAllocDir',
      'streamFrames',
      'testAllocDir',
      'validatePayload',
    ];
    assert.deepEqual(Object.keys(library).sort(), names);
  });

  it('writes to an ordinary directory', async (t) => {
    const target = await mkdtemp(join(tmpdir(), 'dunnage-library-'));
    t.after(() => rm(target, { recursive: true }));
    const { changed } = await new library.AtomicWriter(target).write({
      'tls.key': { data: Buffer.from('k'), mode: 0o400 },
    });
    assert.equal(changed, true);
    assert.equal(await readlink(join(target, 'tls.key')), '..data/tls.key');
    assert.equal(await readFile(join(target, 'tls.key'), 'utf8'), 'k');
  });
});
