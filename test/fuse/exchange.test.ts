import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { describe, it } from 'node:test';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import { ERROR_TABLE, type ErrorCode } from '../../src/errors/table.ts';
import type { Caller, Entry } from '../../src/vfs/file-system.ts';
import { ATTRIBUTES, FakeConnection, fileSystem } from './fake-connection.ts';
import { requestBytes, text, u32, u64 } from './request-bytes.ts';

const { EINVAL, EINTR, EIO, ENOENT, ENOSYS } = constants.errno;
const ENTRY: Entry = { attributes: ATTRIBUTES, entryTimeoutSeconds: 1, attributeTimeoutSeconds: 1 };

describe('Exchange', () => {
  it('answers a plain value before it returns, with the unique of the request', () => {
    const fake = new FakeConnection(fileSystem({ lookup: () => ENTRY }));
    const reply = fake.ask('LOOKUP', { unique: 0x8123_4567_89ab_cdeen, body: [text('a')] });
    assert.deepEqual([reply?.errno, reply?.unique, reply?.body.length], [0, 0x8123_4567_89ab_cdeen, 128]);
    assert.equal(fake.connection.statistics().inFlight, 0);
  });

  it('answers a promise when it resolves, in whatever order', async () => {
    const resolvers: ((entry: Entry) => void)[] = [];
    const fake = new FakeConnection(fileSystem({ lookup: () => new Promise((resolve) => resolvers.push(resolve)) }));
    assert.equal(fake.ask('LOOKUP', { unique: 100n, body: [text('a')] }), undefined);
    assert.equal(fake.ask('LOOKUP', { unique: 102n, body: [text('b')] }), undefined);
    assert.equal(fake.connection.statistics().inFlight, 2);
    resolvers[1]?.(ENTRY);
    await fake.channel.replyCount(1);
    resolvers[0]?.(ENTRY);
    await fake.channel.replyCount(2);
    assert.deepEqual(
      fake.channel.replies.map(({ unique, errno }) => [unique, errno]),
      [
        [102n, 0],
        [100n, 0],
      ],
    );
    assert.equal(fake.connection.statistics().inFlight, 0);
  });

  it('passes who asked', () => {
    let seen: Caller | undefined;
    const fake = new FakeConnection(
      fileSystem({
        lookup: (caller) => {
          seen = caller;
          return ENTRY;
        },
      }),
    );
    fake.ask('LOOKUP', { unique: (1n << 63n) | 8n, uid: 1000, gid: 100, pid: 4711, body: [text('a')] });
    assert.deepEqual([seen?.uid, seen?.gid, seen?.pid, seen?.resent], [1000, 100, 4711, true]);
  });

  it('answers every error code with its errno, thrown or rejected', async () => {
    let thrown: ErrorCode = 'IO';
    const refusal = (): DunnageError => new DunnageError(thrown, 'refused');
    const sync = new FakeConnection(
      fileSystem({
        lookup: () => {
          throw refusal();
        },
      }),
    );
    const later = new FakeConnection(fileSystem({ lookup: () => Promise.reject(refusal()) }));
    for (const code of Object.keys(ERROR_TABLE) as ErrorCode[]) {
      thrown = code;
      const expected = (constants.errno as Record<string, number>)[ERROR_TABLE[code].errno];
      assert.equal(sync.ask('LOOKUP', { body: [text('a')] })?.errno, expected, code);
      later.ask('LOOKUP', { body: [text('a')] });
      await later.channel.replyCount(later.channel.replies.length + 1);
      assert.equal(later.channel.replies.at(-1)?.errno, expected, code);
    }
    assert.ok(!sync.lines.some(({ level }) => level === 'error'), 'a refusal is no error of ours');
  });

  it('turns an exception into EIO for that request alone and logs where, not what', () => {
    let broken = true;
    const fake = new FakeConnection(
      fileSystem({
        lookup: () => {
          if (broken) throw new TypeError('password=hunter2');
          return ENTRY;
        },
      }),
    );
    assert.equal(fake.ask('LOOKUP', { nodeId: 77, body: [text('secret-name')] })?.errno, EIO);
    broken = false;
    assert.equal(fake.ask('LOOKUP', { body: [text('a')] })?.errno, 0);
    const [line] = fake.lines.filter(({ level }) => level === 'error');
    assert.deepEqual([line?.fields['operation'], line?.fields['node']], ['LOOKUP', 77]);
    assert.match(String(line?.fields['at']), /^TypeError at /);
    assert.ok(
      !fake.lines.some(({ level, fields }) => level !== 'debug' && /hunter2|secret-name/.test(JSON.stringify(fields))),
    );
    assert.equal(fake.connection.statistics().exceptions, 1);
  });

  it('gives the reference back if the kernel no longer waits for the entry', () => {
    const served = fileSystem({ lookup: () => ENTRY });
    const fake = new FakeConnection(served);
    fake.channel.sendErrno = ENOENT;
    fake.ask('LOOKUP', { body: [text('a')] });
    assert.deepEqual(served.forgotten, [[ATTRIBUTES.nodeId, 1]]);
    assert.equal(fake.connection.statistics().failedReplies, 0);
  });

  it('counts and logs a reply the kernel refuses', () => {
    const fake = new FakeConnection(fileSystem({ lookup: () => ENTRY }));
    fake.channel.sendErrno = EINVAL;
    fake.ask('LOOKUP', { body: [text('a')] });
    assert.equal(fake.connection.statistics().failedReplies, 1);
    assert.ok(fake.lines.some(({ level, message }) => level === 'error' && message.includes('did not take')));
  });

  it('interrupts by aborting the signal; the file system decides', async () => {
    const fake = new FakeConnection(
      fileSystem({
        read: ({ signal }) =>
          new Promise((_, reject) =>
            signal?.addEventListener('abort', () => reject(new DunnageError('INTERRUPTED', 'x'))),
          ),
      }),
    );
    fake.ask('READ', { unique: 500n, body: [u64(0), u64(0), u32(10), u32(0), u64(0), u32(0), u32(0)] });
    assert.equal(fake.ask('INTERRUPT', { unique: 501n, body: [u64(500)] }), undefined);
    assert.equal(fake.ask('INTERRUPT', { unique: 601n, body: [u64(600)] }), undefined);
    await fake.channel.replyCount(1);
    assert.deepEqual(
      fake.channel.replies.map(({ unique, errno }) => [unique, errno]),
      [[500n, EINTR]],
    );
  });

  it('does a request once that the kernel sends again while it is worked on', async () => {
    let calls = 0;
    let resolve: (entry: Entry) => void = () => undefined;
    const fake = new FakeConnection(
      fileSystem({
        lookup: () => {
          calls += 1;
          return new Promise((done) => {
            resolve = done;
          });
        },
      }),
    );
    fake.ask('LOOKUP', { unique: 500n, body: [text('a')] });
    fake.ask('LOOKUP', { unique: 500n | (1n << 63n), body: [text('a')] });
    resolve(ENTRY);
    await fake.channel.replyCount(1);
    assert.equal(calls, 1);
    assert.deepEqual(
      fake.channel.replies.map(({ unique }) => unique),
      [500n | (1n << 63n)],
    );
  });

  it('never answers what the kernel does not wait for, nor a unique of 0', () => {
    const fake = new FakeConnection(fileSystem());
    for (const operation of ['FORGET', 'BATCH_FORGET', 'INTERRUPT', 'NOTIFY_REPLY'] as const) {
      assert.equal(fake.ask(operation), undefined, `${operation} without a body`);
    }
    fake.channel.receive(requestBytes({ opcode: 1, unique: 0n, body: [text('a')] }));
    fake.channel.receive(Buffer.alloc(12));
    assert.equal(fake.channel.replies.length, 0);
    assert.equal(fake.connection.statistics().malformed, 2);
  });

  it('answers ENOSYS to operations it does not know', () => {
    const fake = new FakeConnection(fileSystem());
    for (const opcode of [7, 19, 53, 54, 4096, 0xffff_ffff]) {
      assert.equal(fake.channel.ask(requestBytes({ opcode }))?.errno, ENOSYS);
    }
  });
});
