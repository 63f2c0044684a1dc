/** Against the real holder program; broken replies against a socket that a test plays. */
import assert from 'node:assert/strict';
import { closeSync, fstatSync, mkdtempSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import type { ErrorCode } from '../../src/errors/table.ts';
import { HolderClient } from '../../src/fuse/holder-client.ts';
import { startHolder } from '../../src/fuse/start-holder.ts';
import { loadNative } from '../../src/native/load.ts';
import { holderProgramPath } from '../../src/native/programs.ts';

const failure =
  (code: ErrorCode, message = /./) =>
  (error: unknown): boolean =>
    error instanceof DunnageError && error.code === code && message.test(error.message);

describe('HolderClient with a holder', () => {
  let folder: string;
  let socketPath: string;
  const clients: HolderClient[] = [];

  const connect = (): HolderClient => {
    const client = HolderClient.connect(socketPath);
    assert.ok(client !== undefined);
    clients.push(client);
    return client;
  };
  /** Resolves when the holder hung up: it ended, or gave up on this client. */
  const gone = (client: HolderClient): Promise<void> => new Promise((resolve) => void client.watch(resolve));

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'dh-'));
    socketPath = join(folder, 'holder.sock');
    await startHolder({
      programPath: holderProgramPath(),
      socketPath,
      timeoutSeconds: 60,
      mountPoint: folder,
      log: silentLog,
    });
  });

  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
    const last = HolderClient.connect(socketPath);
    if (last !== undefined) {
      last.abort();
      last.close();
    }
    rmSync(folder, { recursive: true, force: true });
  });

  it('gives back what it was given, to the next daemon too', () => {
    const first = connect();
    const { holderPid } = first.attach();
    assert.ok(holderPid > 1 && holderPid !== process.pid);
    assert.deepEqual(first.entries(), []);
    const descriptor = loadNative().createMemfd('test', 4096);
    writeSync(descriptor, 'kept');
    first.put('projections', Buffer.from([1, 0, 2]), descriptor);
    first.put('root', Buffer.from('record'), descriptor);
    first.put('root', Buffer.from('newer record'), descriptor);
    const { ino } = fstatSync(descriptor);
    closeSync(descriptor);
    first.close();

    const second = connect();
    assert.equal(second.attach().holderPid, holderPid);
    const entries = second.entries();
    const byName = Object.fromEntries(
      entries.map(({ name, record }) => [name, Buffer.from(record).toString('latin1')]),
    );
    assert.deepEqual(byName, { projections: '\u0001\0\u0002', root: 'newer record' });
    for (const entry of entries) {
      assert.equal(fstatSync(entry.descriptor).ino, ino);
      const content = Buffer.alloc(4);
      readSync(entry.descriptor, content, 0, 4, 0);
      assert.equal(content.toString(), 'kept');
      closeSync(entry.descriptor);
    }
  });

  it('is refused while another daemon is attached, with its pid', () => {
    connect().attach();
    const other = connect();
    assert.throws(() => other.attach(), failure('ALREADY_RUNNING', new RegExp(`pid ${process.pid}\\b`)));
  });

  it('refuses a record larger than the holder takes, before it sends it', () => {
    const client = connect();
    client.attach();
    const descriptor = loadNative().createMemfd('test', 16);
    assert.throws(() => client.put('root', new Uint8Array(5_000), descriptor), failure('TOO_LARGE'));
    client.put('root', new Uint8Array(4_096), descriptor);
    closeSync(descriptor);
  });

  it('ends the holder by release and by abort', async () => {
    for (const end of ['release', 'abort'] as const) {
      if (end === 'abort')
        await startHolder({
          programPath: holderProgramPath(),
          socketPath,
          timeoutSeconds: 60,
          mountPoint: folder,
          log: silentLog,
        });
      const client = connect();
      client.attach();
      client[end]();
      await gone(client);
      assert.equal(HolderClient.connect(socketPath), undefined, end);
    }
  });

  it('says that it is closed', () => {
    const client = connect();
    client.close();
    client.close();
    assert.throws(() => client.attach(), failure('INTERNAL', /closed/));
  });

  it('says that the holder is gone', async () => {
    const [client, other] = [connect(), connect()];
    client.attach();
    client.release();
    await gone(other);
    assert.throws(() => other.attach(), failure('UNREACHABLE'));
  });
});

describe('HolderClient', () => {
  it('finds no holder where there is no socket', () => {
    assert.equal(HolderClient.connect('/nonexistent/holder.sock'), undefined);
  });

  it('names the socket it may not use', () => {
    assert.throws(
      () => HolderClient.connect('/dev/null/holder.sock'),
      failure('NOT_A_DIRECTORY', /\/dev\/null\/holder\.sock/),
    );
  });

  const played = (...replies: string[]): HolderClient => {
    const client = HolderClient.connect('/played', {
      connectSeqpacket: () => 1,
      sendMessage: () => undefined,
      receiveMessage: () => ({ data: Buffer.from(replies.shift() ?? ''), descriptors: [] }),
      watchReadable: () => () => undefined,
      closeDescriptor: () => undefined,
    });
    assert.ok(client !== undefined);
    return client;
  };

  it('says what broke the protocol', () => {
    assert.throws(() => played('z').attach(), failure('INTERNAL', /reply 'z' where 'a' was due/));
    assert.throws(() => played('e').entries(), failure('INTERNAL', /without a name or a descriptor/));
    assert.throws(() => played('').release(), failure('UNREACHABLE', /hung up/));
    assert.throws(() => played('q').abort(), failure('INTERNAL'));
  });
});
