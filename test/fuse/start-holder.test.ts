import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import { HolderClient } from '../../src/fuse/holder-client.ts';
import { type HolderStart, startHolder } from '../../src/fuse/start-holder.ts';
import { holderProgramPath } from '../../src/native/programs.ts';

describe('startHolder', () => {
  let folder: string;
  const start = (change: Partial<HolderStart> = {}): HolderStart => ({
    programPath: holderProgramPath(),
    socketPath: join(folder, 'holder.sock'),
    timeoutSeconds: 60,
    mountPoint: folder,
    log: silentLog,
    ...change,
  });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'dh-'));
  });

  afterEach(() => {
    const holder = HolderClient.connect(join(folder, 'holder.sock'));
    holder?.abort();
    holder?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('resolves when the holder takes connections, on a socket for its owner alone', async () => {
    await startHolder(start());
    const client = HolderClient.connect(start().socketPath);
    assert.ok(client !== undefined);
    assert.equal(statSync(start().socketPath).mode & 0o777, 0o600);
    client.close();
  });

  it('puts its socket in place of the one a dead holder left', async () => {
    writeFileSync(start().socketPath, '');
    await startHolder(start());
  });

  it('passes on why the holder could not start', async () => {
    await assert.rejects(
      startHolder(start({ mountPoint: 'relative' })),
      (error) => error instanceof DunnageError && error.code === 'IO' && /usage: dunnage-holder/.test(error.message),
    );
  });

  it('says that the program cannot be run', async () => {
    const programPath = join(folder, 'no-program');
    writeFileSync(programPath, 'text');
    chmodSync(programPath, 0o600);
    await assert.rejects(
      startHolder(start({ programPath })),
      (error) => error instanceof DunnageError && /cannot run the holder/.test(error.message),
    );
  });

  it('says that the directory of the socket does not exist', async () => {
    const socketPath = join(folder, 'missing', 'holder.sock');
    await assert.rejects(
      startHolder(start({ socketPath })),
      (error) => error instanceof DunnageError && error.code === 'NOT_FOUND',
    );
  });

  it('gives up on a program that never listens, and ends it', async (context) => {
    const programPath = join(folder, 'sleeper');
    writeFileSync(programPath, '#!/bin/sh\nexec sleep 60\n');
    chmodSync(programPath, 0o755);
    context.mock.timers.enable({ apis: ['setTimeout'] });
    const started = startHolder(start({ programPath }));
    context.mock.timers.tick(5_000);
    await assert.rejects(started, (error) => error instanceof DunnageError && error.code === 'TIMED_OUT');
  });
});
