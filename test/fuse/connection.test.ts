import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { describe, it } from 'node:test';
import { limits } from '../../src/base/limits.ts';
import { silentLog } from '../../src/base/log.ts';
import type { DunnageError } from '../../src/errors/dunnage-error.ts';
import { type Feature, INIT_FLAG, OPCODE } from '../../src/fuse/abi.ts';
import { Connection, type ConnectionOptions } from '../../src/fuse/connection.ts';
import type { NegotiatedRecord } from '../../src/fuse/init.ts';
import { PROFILES } from '../../src/fuse/profiles.ts';
import { FakeChannel } from './fake-channel.ts';
import { FakeConnection, fileSystem, initBody } from './fake-connection.ts';
import { requestBytes, text, u32, u64 } from './request-bytes.ts';

const { EIO, ENODEV, ENOSYS, EPROTO } = constants.errno;
const ALL = Object.keys(INIT_FLAG) as Feature[];

function connect(options: Partial<ConnectionOptions> = {}): { connection: Connection; channel: FakeChannel } {
  const { createChannel, channels } = FakeChannel.factory();
  const connection = new Connection({
    name: 'test',
    device: 5,
    fileSystem: fileSystem(),
    profile: PROFILES.projections,
    log: silentLog,
    createChannel,
    onInit: () => undefined,
    onEnd: () => undefined,
    ...options,
  });
  return { connection, channel: channels[0] as FakeChannel };
}

const init = (features: readonly Feature[] = ALL, minor = 45, major = 7): Buffer =>
  requestBytes({ opcode: OPCODE.INIT, body: initBody(features, minor, major) });

describe('Connection', () => {
  it('has room for the largest write and its header', () => {
    const { channel } = connect();
    assert.equal(channel.options.bufferSizeBytes, limits.fuseWriteBytesMax + limits.fuseHeaderBytesMax);
    assert.equal(channel.started, false);
  });

  it('answers INIT after the record was kept', async () => {
    const events: string[] = [];
    let keep: () => void = () => undefined;
    const { connection, channel } = connect({
      onInit: (record) => {
        events.push(`kept ${record.profile} ${record.minor}`);
        return new Promise((resolve) => {
          keep = resolve;
        });
      },
    });
    connection.start();
    channel.receive(init());
    assert.deepEqual(events, ['kept projections 45']);
    assert.equal(channel.replies.length, 0);
    keep();
    await channel.replyCount(1);
    assert.deepEqual([channel.replies[0]?.errno, channel.replies[0]?.body.length], [0, 64]);
  });

  it('fails INIT with EIO if the record cannot be kept', () => {
    const { channel } = connect({
      onInit: () => {
        throw new TypeError('no holder');
      },
    });
    assert.equal(channel.ask(init())?.errno, EIO);
  });

  it('refuses a kernel that is too old, and says so', () => {
    const refused: DunnageError[] = [];
    const { channel } = connect({ onRefused: (error) => void refused.push(error) });
    assert.equal(channel.ask(init([], 30))?.errno, EPROTO);
    assert.deepEqual(
      refused.map(({ code }) => code),
      ['NOT_SUPPORTED'],
    );
  });

  it('answers a newer major version with 7 and serves after the second INIT', () => {
    const records: NegotiatedRecord[] = [];
    const { channel } = connect({ onInit: (record) => void records.push(record) });
    assert.equal(channel.ask(init(ALL, 0, 8))?.body.readUInt32LE(0), 7);
    assert.equal(records.length, 0);
    assert.equal(channel.ask(init())?.errno, 0);
    assert.equal(records.length, 1);
  });

  it('takes the short INIT of kernels before 7.36', () => {
    const records: NegotiatedRecord[] = [];
    const { channel } = connect({ onInit: (record) => void records.push(record) });
    const short = requestBytes({ opcode: OPCODE.INIT, body: initBody(ALL, 32).slice(0, 4) });
    assert.equal(channel.ask(short)?.errno, 0);
    assert.ok(!records[0]?.features.includes('HAS_RESEND'));
  });

  it('serves with a record instead of an INIT, and asks for what was left unanswered', () => {
    const records: NegotiatedRecord[] = [];
    connect({ onInit: (record) => void records.push(record) }).channel.receive(init());
    const [resume] = records;
    assert.ok(resume !== undefined);
    const { connection, channel } = connect({ resume });
    connection.start();
    connection.requestResend();
    assert.deepEqual(
      channel.notifications.map((bytes) => bytes.readInt32LE(4)),
      [7],
    );
    assert.equal(channel.ask(requestBytes({ opcode: OPCODE.OPEN, body: [u32(0), u32(0)] }))?.errno, ENOSYS);
  });

  it('asks for nothing again where the kernel cannot', () => {
    const { connection, channel } = connect();
    channel.receive(init(ALL.filter((feature) => feature !== 'HAS_RESEND')));
    connection.requestResend();
    assert.deepEqual(channel.notifications, []);
  });

  it('serves until the notifier is through, then closes, once', async () => {
    let through: () => void = () => undefined;
    const { connection, channel } = connect();
    channel.drained = new Promise((resolve) => {
      through = resolve;
    });
    channel.receive(init());
    const closing = connection.close();
    assert.equal(channel.ask(requestBytes({ opcode: OPCODE.FORGET })), undefined);
    assert.notEqual(channel.ask(requestBytes({ opcode: OPCODE.STATFS })), undefined);
    assert.equal(channel.closed, false);
    through();
    await closing;
    assert.equal(channel.closed, true);
    assert.equal(connection.close(), closing);
  });

  it('does not wait for a notification that is stuck for longer than two seconds', async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] });
    const { connection, channel } = connect();
    channel.drained = new Promise(() => undefined);
    const closing = connection.close();
    context.mock.timers.tick(2_000);
    await closing;
    assert.equal(channel.closed, true);
  });

  it('abandons what is in flight at the end and sends nothing any more', async () => {
    let aborted = false;
    let resolve: () => void = () => undefined;
    const read = new Promise<Uint8Array>((done) => {
      resolve = () => done(Buffer.from('late'));
    });
    const served = fileSystem({
      read: ({ signal }) => {
        signal?.addEventListener('abort', () => {
          aborted = true;
        });
        return read;
      },
    });
    const fake = new FakeConnection(served);
    fake.ask('READ', { body: [u64(0), u64(0), u32(10), u32(0), u64(0), u64(0)] });
    fake.channel.options.onEnd(ENODEV);
    assert.deepEqual([fake.ends, aborted], [[ENODEV], true]);
    resolve();
    await read;
    await Promise.resolve();
    assert.equal(fake.channel.replies.length, 0);
    assert.equal(fake.connection.statistics().inFlight, 0);
  });

  it('counts what it was asked', () => {
    const fake = new FakeConnection(fileSystem());
    fake.ask('LOOKUP', { body: [text('a')] });
    fake.ask('LOOKUP', { body: [text('b')] });
    const { requests, operations } = fake.connection.statistics();
    assert.deepEqual([requests, operations], [3, { INIT: 1, LOOKUP: 2 }]);
  });
});
