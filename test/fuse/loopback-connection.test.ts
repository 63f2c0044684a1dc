import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { describe, it } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { type Feature, INIT_FLAG, OPCODE } from '../../src/fuse/abi.ts';
import type { NegotiatedRecord } from '../../src/fuse/init.ts';
import { LoopbackConnection, type LoopbackConnectionOptions } from '../../src/fuse/loopback-connection.ts';
import type { Loopback, LoopbackOptions, LoopbackStatistics } from '../../src/native/binding.ts';
import { FakeChannel } from './fake-channel.ts';
import { initBody } from './fake-connection.ts';
import { requestBytes } from './request-bytes.ts';

const { EIO, EPROTO, ESTALE } = constants.errno;
const ALL = Object.keys(INIT_FLAG) as Feature[];

class FakeLoopback implements Loopback {
  readonly options: LoopbackOptions;
  readonly calls: string[] = [];

  constructor(options: LoopbackOptions) {
    this.options = options;
  }
  seal(path: string): void {
    this.calls.push(`seal ${path}`);
  }
  unseal(path: string): void {
    this.calls.push(`unseal ${path}`);
  }
  async forget(parent: string, name: string): Promise<void> {
    this.calls.push(`forget ${parent} ${name}`);
  }
  async refresh(path: string): Promise<void> {
    this.calls.push(`refresh ${path}`);
  }
  statistics(): LoopbackStatistics {
    const served = new Array<number>(OPCODE.COPY_FILE_RANGE_64 + 2).fill(0);
    served[OPCODE.LOOKUP] = 3;
    return {
      served,
      agesMs: [5, 60_000],
      nodes: 2,
      openFiles: 1,
      descriptors: 4,
      isPassthrough: true,
      failedReplies: 1,
      pendingNotifications: 0,
      failedNotifications: 0,
    };
  }
  async close(): Promise<void> {
    this.calls.push('close');
  }
}

function connect(options: Partial<LoopbackConnectionOptions> = {}): {
  connection: LoopbackConnection;
  channels: FakeChannel[];
  engines: FakeLoopback[];
} {
  const { createChannel, channels } = FakeChannel.factory();
  const engines: FakeLoopback[] = [];
  const createLoopback = (wanted: LoopbackOptions): Loopback => {
    const engine = new FakeLoopback(wanted);
    engines.push(engine);
    return engine;
  };
  const connection = new LoopbackConnection({
    name: 'allocs',
    device: 5,
    root: 6,
    orphans: 7,
    memory: 8,
    log: silentLog,
    native: { createChannel, createLoopback },
    onInit: () => undefined,
    onEnd: () => undefined,
    ...options,
  });
  return { connection, channels, engines };
}

const init = (features: readonly Feature[] = ALL, minor = 45, major = 7): Buffer =>
  requestBytes({ opcode: OPCODE.INIT, body: initBody(features, minor, major) });

/** A connection whose INIT was answered. */
async function connected(options: Partial<LoopbackConnectionOptions> = {}): Promise<{
  connection: LoopbackConnection;
  channel: FakeChannel;
  engine: FakeLoopback;
}> {
  const { connection, channels, engines } = connect(options);
  connection.start();
  const channel = channels[0] as FakeChannel;
  channel.receive(init());
  await connection.served();
  return { connection, channel, engine: engines[0] as FakeLoopback };
}

describe('LoopbackConnection', () => {
  it('answers INIT after the record was kept, and then leaves the device to the engine', async () => {
    const events: string[] = [];
    const { channel, engine } = await connected({
      onInit: async (record) => {
        events.push(record.profile);
      },
    });
    assert.deepEqual(events, ['allocs']);
    assert.equal(channel.replies.length, 1);
    assert.equal(channel.replies[0]?.errno, 0);
    assert.ok(channel.closed);
    const { device, root, orphans, memory, features, threads, isTakeover } = engine.options;
    assert.deepEqual([device, root, orphans, memory, isTakeover], [5, 6, 7, 8, false]);
    assert.ok(features.includes('PASSTHROUGH') && threads >= 8);
  });

  it('asks for one layer of stacking where the kernel has passthrough', async () => {
    const { channel } = await connected();
    assert.equal(channel.replies[0]?.body.readUInt32LE(36), 1);
  });

  it('fails the mount if the record cannot be kept', async () => {
    const { connection, channels, engines } = connect({ onInit: () => Promise.reject(new Error('no holder')) });
    connection.start();
    const channel = channels[0] as FakeChannel;
    channel.receive(init());
    await assert.rejects(connection.served(), /no holder/);
    assert.equal(channel.replies[0]?.errno, EIO);
    assert.deepEqual(engines, []);
  });

  it('refuses a kernel that is too old', async () => {
    const refused: string[] = [];
    const { connection, channels } = connect({ onRefused: (error) => refused.push(error.code) });
    connection.start();
    const channel = channels[0] as FakeChannel;
    channel.receive(init(ALL, 12));
    await assert.rejects(connection.served(), { code: 'NOT_SUPPORTED' });
    assert.equal(channel.replies[0]?.errno, EPROTO);
    assert.deepEqual(refused, ['NOT_SUPPORTED']);
  });

  it('lets a newer kernel ask once more', async () => {
    const { connection, channels, engines } = connect();
    connection.start();
    const channel = channels[0] as FakeChannel;
    channel.receive(init(ALL, 0, 8));
    await channel.replyCount(1);
    assert.equal(engines.length, 0);
    channel.receive(init());
    await connection.served();
    assert.equal(engines.length, 1);
  });

  it('goes on without INIT after a takeover', async () => {
    let record: NegotiatedRecord | undefined;
    await connected({
      onInit: (agreed) => {
        record = agreed;
      },
    });
    assert.ok(record !== undefined);
    const { connection, channels, engines } = connect({ resume: record });
    connection.start();
    await connection.served();
    assert.equal(channels.length, 0);
    assert.equal(engines[0]?.options.isTakeover, true);
  });

  it('passes seals and notifications on, and says so where nothing is served yet', async () => {
    const { connection: early } = connect();
    assert.throws(() => early.seal('a'), { code: 'UNREACHABLE', message: /cannot seal a/ });
    const { connection, engine } = await connected();
    connection.seal('a');
    connection.unseal('a');
    await connection.forget('a', 'b');
    await connection.refresh('a/b');
    assert.deepEqual(engine.calls, ['seal a', 'unseal a', 'forget a b', 'refresh a/b']);
  });

  it('says what a call of the engine failed with', async () => {
    const { connection, engine } = await connected();
    engine.seal = () => {
      throw Object.assign(new Error('ESTALE'), { code: 'ESTALE', errno: ESTALE });
    };
    assert.throws(() => connection.seal('gone'), { code: 'STALE', message: 'cannot seal gone: ESTALE' });
  });

  it('counts requests by name, and those that wait too long', async () => {
    const { connection } = await connected();
    const { requests, operations, inFlight, unanswered, failedReplies } = connection.statistics();
    assert.deepEqual([requests, operations, inFlight, unanswered, failedReplies], [3, { LOOKUP: 3 }, 2, 1, 1]);
  });

  it('closes what serves, before and after INIT, also twice', async () => {
    const before = connect();
    before.connection.start();
    await before.connection.close();
    assert.ok(before.channels[0]?.closed);
    await assert.rejects(before.connection.served(), { code: 'UNREACHABLE' });
    const { connection, engine } = await connected();
    await Promise.all([connection.close(), connection.close()]);
    assert.deepEqual(engine.calls, ['close']);
  });
});
