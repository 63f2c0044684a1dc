/** A served sample for a group of tests, and what they ask of the system about it. */
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import type { ConnectionStatistics } from '../../../src/fuse/statistics.ts';
import { within } from '../../kernel/helpers/child-daemon.ts';
import type { SampleSettings } from '../../kernel/helpers/sample-server.ts';
import type { Ability, Served, Transport } from './transport.ts';

const CALL_TIMEOUT_MS = 20_000;

/** Serves one sample for all tests of the surrounding `describe`. */
export function served(transport: Transport, settings: Omit<SampleSettings, 'mountPoint'>): () => Served {
  let sample: Served | undefined;
  before(async () => {
    sample = await transport.start(settings);
  });
  after(async () => {
    await sample?.stop();
  });
  return () => {
    assert.ok(sample !== undefined);
    return sample;
  };
}

/** Options for a test that needs an ability. */
export function needs(transport: Transport, ability: Ability): { skip?: string } {
  const reason = transport.lacks[ability];
  return reason === undefined ? {} : { skip: reason };
}

/** A system call on the mount: it fails the test instead of hanging it. */
export function call<T>(promise: Promise<T>): Promise<T> {
  return within(promise, CALL_TIMEOUT_MS, 'system call on the mount');
}

export async function failsWith(code: string, promise: Promise<unknown>): Promise<void> {
  await assert.rejects(call(promise), (error: NodeJS.ErrnoException) => {
    assert.equal(error.code, code, error.message);
    return true;
  });
}

/** How many requests of each kind `act` makes. */
export async function requestsOf(sample: Served, act: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = (await sample.command<ConnectionStatistics>('statistics')).operations;
  await act();
  const after = (await sample.command<ConnectionStatistics>('statistics')).operations;
  const made: Record<string, number> = {};
  for (const [name, count] of Object.entries(after)) {
    const difference = count - (before[name] ?? 0);
    if (difference > 0) made[name] = difference;
  }
  return made;
}
