/**
 * The same random operations by several users on ext4 and on the subject, side by side: every result and errno is compared, and
 * at the end everything that is there.
 */
import assert from 'node:assert/strict';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { type Operation, operations } from './posix/differential/operations.ts';
import { Side } from './posix/differential/side.ts';
import type { PosixPlace, PosixSubject } from './posix/subject.ts';

/** For a longer search by hand: DUNNAGE_DIFFERENTIAL_RUNS=5000. */
const RUNS = Number(process.env['DUNNAGE_DIFFERENTIAL_RUNS'] ?? 40);
const RUN_MS_MAX = 240_000;

async function freshDirectory(place: PosixPlace): Promise<string> {
  const directory = join(place.directory, 'differential');
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory);
  await chmod(directory, 0o777);
  return directory;
}

async function compare(expected: Side, actual: Side, list: readonly Operation[]): Promise<void> {
  for (const [index, operation] of list.entries()) {
    const wanted = await expected.perform(operation);
    const got = await actual.perform(operation);
    assert.equal(got, wanted, `operation ${index}: ${operation.user}: ${operation.line}`);
  }
  assert.deepEqual(await actual.picture(), await expected.picture());
}

/** Finds the shortest list of operations whose results differ; nothing if there is none. */
async function search(
  expected: PosixPlace,
  actual: PosixPlace,
  actualUmask: string,
  more: fc.Parameters<[readonly Operation[]]> = {},
): Promise<fc.RunDetails<[readonly Operation[]]>> {
  const property = fc.asyncProperty(operations, async (list) => {
    const sides = [
      await Side.start(await freshDirectory(expected)),
      await Side.start(await freshDirectory(actual), actualUmask),
    ] as const;
    try {
      await compare(...sides, list);
    } finally {
      for (const side of sides) await side.end();
    }
  });
  const seed = process.env['DUNNAGE_DIFFERENTIAL_SEED'];
  return await fc.check(property, { numRuns: RUNS, ...more, ...(seed === undefined ? {} : { seed: Number(seed) }) });
}

export function differentialConformance(reference: PosixSubject, subject: PosixSubject): void {
  const reason = reference.skip ?? subject.skip;
  const options = reason === undefined ? {} : { skip: reason };
  describe(`random operations on ${subject.name}`, { timeout: RUN_MS_MAX, ...options }, () => {
    const places: PosixPlace[] = [];
    before(async () => {
      places.push(await reference.start(), await subject.start());
    });
    after(async () => {
      for (const place of places) await place.stop();
    });

    it('give what ext4 gives [S180]', async () => {
      const [expected, actual] = places as [PosixPlace, PosixPlace];
      const found = await search(expected, actual, '0');
      assert.equal(found.failed, false, `${String(found.errorInstance)}\n${fc.defaultReportMessage(found)}`);
    });

    if (reference !== subject) return;
    it('the check itself: another umask is found out', async () => {
      const [expected, actual] = places as [PosixPlace, PosixPlace];
      // Not shrunk: that it is found is enough.
      assert.equal((await search(expected, actual, '022', { endOnFailure: true })).failed, true);
    });
  });
}
