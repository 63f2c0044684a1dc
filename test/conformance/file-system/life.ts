/** Interrupts, forgetting, and how a connection ends. */
import assert from 'node:assert/strict';
import { lstat, readdir, readFile, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { ConnectionStatistics } from '../../../src/fuse/statistics.ts';
import { within } from '../../kernel/helpers/child-daemon.ts';
import { begin } from '../../kernel/helpers/run.ts';
import { GATE_CONTENT } from '../../kernel/helpers/sample-file-system.ts';
import type { SampleSettings } from '../../kernel/helpers/sample-server.ts';
import { call, failsWith, needs } from './fixture.ts';
import type { Served, Transport } from './transport.ts';

const END_TIMEOUT_MS = 10_000;
const { ENODEV, ECONNABORTED } = constants.errno;

export function lifeTests(transport: Transport): void {
  const withSample = async (
    settings: Omit<SampleSettings, 'mountPoint'>,
    use: (sample: Served) => Promise<void>,
  ): Promise<void> => {
    const sample = await transport.start(settings);
    try {
      await use(sample);
    } finally {
      await sample.stop();
    }
  };

  describe('interrupts', () => {
    const options = needs(transport, 'interrupts');

    it('ends a blocked read with EINTR when its process is killed', options, () =>
      withSample({ profile: 'root', handles: true }, async (sample) => {
        const reader = begin('cat', [join(sample.mountPoint, 'gate')]);
        await untilInFlight(sample, 1);
        reader.process.kill('SIGKILL');
        const { signal, stdout } = await within(reader.ended, END_TIMEOUT_MS, 'end of the killed reader');
        assert.deepEqual([signal, stdout], ['SIGKILL', '']);
        await untilInFlight(sample, 0);
        const { operations } = await sample.command<ConnectionStatistics>('statistics');
        assert.equal(operations['INTERRUPT'], 1);
      }),
    );

    it('answers a read that waited', () =>
      withSample({ profile: 'projections' }, async (sample) => {
        const reading = readFile(join(sample.mountPoint, 'gate'), 'utf8');
        await untilInFlight(sample, 1);
        await call(lstat(join(sample.mountPoint, 'hello')));
        await sample.command('openGate');
        assert.equal(await call(reading), GATE_CONTENT);
      }));
  });

  describe('forgetting', () => {
    it('counts the references of every node back to zero', needs(transport, 'forget'), () =>
      withSample({ profile: 'projections' }, async (sample) => {
        for (const name of await call(readdir(join(sample.mountPoint, 'many')))) {
          if (name.endsWith('7')) await call(lstat(join(sample.mountPoint, 'many', name)));
        }
        const references = await sample.command<[number, number][]>('references');
        assert.ok(references.length > 1_000 && references.every(([, count]) => count > 0));
        // Dentries and inodes nobody uses.
        await writeFile('/proc/sys/vm/drop_caches', '2');
        await sample.command('allForgotten');
        assert.deepEqual(await sample.command('references'), []);
        await call(readFile(join(sample.mountPoint, 'hello')));
      }),
    );
  });

  describe('the end', () => {
    it('leaves the process alive when the serving worker is terminated', needs(transport, 'abort'), () =>
      withSample({ profile: 'projections', worker: true }, async (sample) => {
        const reading = assert.rejects(readFile(join(sample.mountPoint, 'gate')));
        await untilInFlight(sample, 1);
        await sample.command('terminate');
        assert.equal(await sample.command('ping'), 'pong');
        await sample.abort();
        await call(reading);
        assert.equal(await sample.command('ping'), 'pong');
      }),
    );

    for (const worker of [false, true]) {
      const where = worker ? 'a worker' : 'the main thread';

      const options = worker ? needs(transport, 'worker') : {};
      it(`is clean after an unmount from outside, served by ${where}`, options, () =>
        withSample({ profile: 'projections', worker }, async (sample) => {
          await call(readFile(join(sample.mountPoint, 'hello')));
          const ended = sample.command<number>('ended');
          await sample.unmount();
          assert.equal(await ended, ENODEV);
          await sample.command('close');
          const { inFlight, failedReplies } = await sample.command<ConnectionStatistics>('statistics');
          assert.deepEqual({ inFlight, failedReplies }, { inFlight: 0, failedReplies: 0 });
        }),
      );

      it(`frees whoever waits when the connection is aborted, served by ${where}`, needs(transport, 'abort'), () =>
        withSample({ profile: 'projections', worker }, async (sample) => {
          const ended = sample.command<number>('ended');
          const reading = assert.rejects(readFile(join(sample.mountPoint, 'gate')));
          await untilInFlight(sample, 1);
          await sample.abort();
          await call(reading);
          assert.equal(await ended, ECONNABORTED);
          await failsWith('ENOTCONN', lstat(join(sample.mountPoint, 'many')));
          await sample.command('close');
        }),
      );
    }
  });
}

/** The daemon tells how many requests it is working on; each question is a round trip, not a sleep. */
async function untilInFlight(sample: Served, count: number): Promise<void> {
  const wait = async (): Promise<void> => {
    while ((await sample.command<ConnectionStatistics>('statistics')).inFlight !== count);
  };
  await within(wait(), END_TIMEOUT_MS, `${count} requests in flight`);
}
