/** What one daemon leaves in the journal's memory, the next one serves; the memory is all that goes from one to the other. */
import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { describe, it } from 'node:test';
import { limits } from '../../src/base/limits.ts';
import { type Feature, INIT_FLAG, OPCODE, type OpcodeName } from '../../src/fuse/abi.ts';
import type { NegotiatedRecord } from '../../src/fuse/init.ts';
import { JOURNAL_BYTES, RequestJournal } from '../../src/fuse/request-journal.ts';
import type { Caller, Entry, FileSystem } from '../../src/vfs/file-system.ts';
import { ATTRIBUTES, FakeConnection, fileSystem } from './fake-connection.ts';
import { type Field, requestBytes, text, u32, u64 } from './request-bytes.ts';

const { ENOENT, EROFS } = constants.errno;
const ENTRY: Entry = { attributes: ATTRIBUTES, entryTimeoutSeconds: 1, attributeTimeoutSeconds: 1 };
const WITHOUT_RESEND = (Object.keys(INIT_FLAG) as Feature[]).filter((feature) => feature !== 'HAS_RESEND');
const RESUME: NegotiatedRecord = new FakeConnection(fileSystem(), { offered: WITHOUT_RESEND }).records[0] as never;
const CURRENT_BYTES = limits.fuseWriteBytesMax + limits.fuseHeaderBytesMax;

const never = (): Promise<never> => new Promise(() => undefined);
const lookup = (unique: bigint, name = 'a'): Buffer =>
  requestBytes({ opcode: OPCODE.LOOKUP, unique, body: [text(name)] });

/** A daemon that is never answered by its file system, and dies. */
function dyingDaemon(memory: ArrayBuffer): FakeConnection {
  const served = fileSystem({ lookup: never, rename: never, read: never });
  return new FakeConnection(served, { offered: WITHOUT_RESEND, journal: new RequestJournal(memory) });
}

function nextDaemon(memory: ArrayBuffer, operations: Partial<FileSystem>): FakeConnection {
  return new FakeConnection(fileSystem(operations), { resume: RESUME, journal: new RequestJournal(memory) });
}

/** The daemon dies when the kernel has put a request before it and before its handler returns. */
function leaveInHandler(memory: ArrayBuffer, request: Uint8Array): void {
  new Uint8Array(memory).set(request);
}

const uniques = (fake: FakeConnection): bigint[] => fake.channel.replies.map(({ unique }) => unique);

describe('RequestJournal', () => {
  it('gives a request that was being worked on to the next daemon, byte for byte', () => {
    const memory = new ArrayBuffer(JOURNAL_BYTES);
    const [name, newName] = ['n'.repeat(255), 'm'.repeat(255)];
    const body = [u64(77), u32(0), u32(0), text(name), text(newName)];
    dyingDaemon(memory).ask('RENAME2', { unique: 0x1234_5678_9abc_def0n, nodeId: 76, uid: 5, gid: 6, pid: 7, body });
    const seen: unknown[] = [];
    const fake = nextDaemon(memory, {
      rename: (caller: Caller, ...rest) => {
        seen.push(caller.uid, caller.gid, caller.pid, caller.resent, ...rest.slice(0, 5));
      },
    });
    assert.deepEqual(seen, [5, 6, 7, true, 76, name, 77, newName, 0]);
    assert.deepEqual(uniques(fake), [0x1234_5678_9abc_def0n]);
  });

  it('gives a request in whose handler the daemon died', () => {
    const memory = new ArrayBuffer(JOURNAL_BYTES);
    leaveInHandler(memory, lookup(40n));
    assert.deepEqual(uniques(nextDaemon(memory, { lookup: () => ENTRY })), [40n]);
  });

  it('gives once what is both in a slot and under the handler', () => {
    const memory = new ArrayBuffer(JOURNAL_BYTES);
    dyingDaemon(memory).channel.receive(lookup(40n));
    leaveInHandler(memory, lookup(40n));
    assert.deepEqual(uniques(nextDaemon(memory, { lookup: () => ENTRY })), [40n]);
  });

  it('forgets what was answered: at once, later, or refused', async () => {
    const memory = new ArrayBuffer(JOURNAL_BYTES);
    const resolvers: ((entry: Entry) => void)[] = [];
    const first = nextDaemon(memory, { lookup: () => new Promise((resolve) => resolvers.push(resolve)) });
    for (const unique of [40n, 42n, 44n]) first.channel.receive(lookup(unique));
    first.ask('GETATTR', { unique: 46n, body: [u32(0), u32(0), u64(0)] });
    resolvers[1]?.(ENTRY);
    await first.channel.replyCount(2);
    assert.deepEqual(uniques(first), [46n, 42n]);
    const second = nextDaemon(memory, { lookup: () => Promise.reject(new TypeError('on purpose')) });
    await second.channel.replyCount(2);
    assert.deepEqual(uniques(second).sort(), [40n, 44n]);
    assert.deepEqual(uniques(nextDaemon(memory, { lookup: () => ENTRY })), []);
  });

  it('keeps what a daemon leaves open when it closes', async () => {
    const memory = new ArrayBuffer(JOURNAL_BYTES);
    const first = nextDaemon(memory, {
      lookup: ({ signal }) =>
        new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('aborted')))),
    });
    first.channel.receive(lookup(40n));
    await first.connection.close();
    assert.deepEqual(uniques(first), []);
    assert.deepEqual(uniques(nextDaemon(memory, { lookup: () => ENTRY })), [40n]);
  });

  it('survives daemons that die one after the other', () => {
    const memory = new ArrayBuffer(JOURNAL_BYTES);
    dyingDaemon(memory).channel.receive(lookup(40n));
    for (let death = 0; death < 3; death += 1) assert.deepEqual(uniques(nextDaemon(memory, { lookup: never })), []);
    assert.deepEqual(uniques(nextDaemon(memory, { lookup: () => ENTRY })), [40n]);
  });

  it('loses nothing if the next daemon dies in the middle of serving it again', () => {
    const memory = new ArrayBuffer(JOURNAL_BYTES);
    const dying = dyingDaemon(memory);
    for (const unique of [40n, 42n, 44n]) dying.channel.receive(lookup(unique));
    // The memory as it was at the moment of each handler, which is where a daemon may die.
    const moments: ArrayBuffer[] = [];
    nextDaemon(memory, {
      lookup: () => {
        moments.push(memory.slice(0));
        return ENTRY;
      },
    });
    assert.equal(moments.length, 3);
    for (const [answered, moment] of moments.entries()) {
      const left = uniques(nextDaemon(moment, { lookup: () => ENTRY }));
      assert.equal(new Set(left).size, 3 - answered);
      assert.equal(left.length, 3 - answered);
    }
  });

  it('takes a reply nobody waits for as the end of the matter', () => {
    const memory = new ArrayBuffer(JOURNAL_BYTES);
    dyingDaemon(memory).channel.receive(lookup(40n));
    const served = fileSystem({ lookup: () => ENTRY });
    const fake = new FakeConnection(served, {
      resume: RESUME,
      journal: new RequestJournal(memory),
      sendErrno: ENOENT,
    });
    assert.deepEqual(served.forgotten, [[ATTRIBUTES.nodeId, 1]]);
    const { failedReplies, exceptions, malformed } = fake.connection.statistics();
    assert.deepEqual([failedReplies, exceptions, malformed], [0, 0, 0]);
    assert.deepEqual(uniques(nextDaemon(memory, { lookup: () => ENTRY })), []);
  });

  it('never serves again what drops references or belongs to the life of the connection', () => {
    const bodies: Readonly<Partial<Record<OpcodeName, readonly Field[]>>> = {
      FORGET: [u64(1)],
      BATCH_FORGET: [u32(1), u32(0), u64(5), u64(1)],
      INTERRUPT: [u64(40)],
      DESTROY: [],
      INIT: [u32(7), u32(36)],
    };
    for (const [operation, body] of Object.entries(bodies)) {
      const memory = new ArrayBuffer(JOURNAL_BYTES);
      leaveInHandler(memory, requestBytes({ opcode: OPCODE[operation as OpcodeName], unique: 40n, nodeId: 5, body }));
      const served = fileSystem();
      const fake = new FakeConnection(served, { resume: RESUME, journal: new RequestJournal(memory) });
      assert.deepEqual([fake.channel.replies, served.forgotten], [[], []], operation);
      assert.equal(new Uint32Array(memory)[0], 0);
    }
  });

  it('serves again also what is longer than a slot', () => {
    const memory = new ArrayBuffer(JOURNAL_BYTES);
    const content = { bytes: Buffer.alloc(limits.fuseWriteBytesMax, 'x') };
    const body = [u64(0), u64(0), u32(limits.fuseWriteBytesMax), u32(0), u64(0), u32(0), u32(0), content];
    leaveInHandler(memory, requestBytes({ opcode: OPCODE.WRITE, unique: 40n, nodeId: 5, body }));
    const [reply] = nextDaemon(memory, {}).channel.replies;
    assert.deepEqual([reply?.unique, reply?.errno], [40n, EROFS]);
  });

  it('ignores what cannot be a request', () => {
    for (const words of [
      [0, OPCODE.LOOKUP],
      [39, OPCODE.LOOKUP],
      [CURRENT_BYTES + 1, OPCODE.LOOKUP],
      [48, 0],
    ]) {
      const memory = new ArrayBuffer(JOURNAL_BYTES);
      leaveInHandler(memory, lookup(40n));
      new Uint32Array(memory).set(words);
      // Slots as well: [valid, unused, request].
      new Uint32Array(memory, CURRENT_BYTES).set([1, 0, ...words]);
      const journal = new RequestJournal(memory);
      journal.replay(() => assert.fail('nothing to serve'));
      assert.equal(new Uint32Array(memory, CURRENT_BYTES)[0], 0, 'the slot is free');
    }
  });

  it('has room for so many, and says once that a request found none', async () => {
    const memory = new ArrayBuffer(JOURNAL_BYTES);
    const open: (() => void)[] = [];
    const fake = nextDaemon(memory, { lookup: () => new Promise((resolve) => open.push(() => resolve(ENTRY))) });
    const count = limits.fuseJournalSlots + 2;
    for (let index = 0; index < count; index += 1) fake.channel.receive(lookup(BigInt(2 * index + 2)));
    const warned = (): number => fake.lines.filter(({ level }) => level === 'warn').length;
    assert.deepEqual([fake.connection.statistics().unjournaled, warned()], [2, 1]);
    const left = nextDaemon(memory.slice(0), { lookup: () => ENTRY }).channel.replies.length;
    assert.equal(left, limits.fuseJournalSlots);
    for (const resolve of open) resolve();
    await fake.channel.replyCount(count);
    fake.channel.receive(lookup(9_000n));
    assert.equal(fake.connection.statistics().unjournaled, 2, 'slots are used again');
  });

  it('does not keep what is too long for a slot', () => {
    const memory = new ArrayBuffer(JOURNAL_BYTES);
    const fake = nextDaemon(memory, { makeSymlink: never });
    fake.ask('SYMLINK', { body: [text('a'), text('t'.repeat(2_000))] });
    assert.equal(fake.connection.statistics().unjournaled, 1);
    assert.deepEqual(uniques(nextDaemon(memory, {})), []);
  });

  it('stays unused where the kernel sends requests again', () => {
    const memory = new ArrayBuffer(JOURNAL_BYTES);
    const fake = new FakeConnection(fileSystem({ lookup: never }), { journal: new RequestJournal(memory) });
    fake.channel.receive(lookup(40n));
    assert.ok(new Uint8Array(memory, CURRENT_BYTES).every((byte) => byte === 0));
  });

  it('does not take memory that is too small', () => {
    assert.throws(() => new RequestJournal(new ArrayBuffer(JOURNAL_BYTES - 1)), /smaller than its layout/);
  });

  it('cannot lose its memory to another thread', () => {
    const { memory } = new RequestJournal(new ArrayBuffer(JOURNAL_BYTES));
    try {
      structuredClone(memory, { transfer: [memory] });
    } catch (error) {
      // From Node 21 on it throws, before that it copies.
      assert.equal((error as Error).name, 'DataCloneError');
    }
    assert.equal(memory.byteLength, JOURNAL_BYTES);
  });
});
