import assert from 'node:assert/strict';
import { mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { ReaderMessage } from '../../../src/cli/demo/reader-messages.ts';
import { EndlessReader, watchDirectory } from '../../../src/cli/demo/reader-process.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reader-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('EndlessReader counts reads, tells a value when it changes, and starts anew after a report', async () => {
  const told: ReaderMessage[] = [];
  const reader = new EndlessReader(join(folder, 'file'), (message) => told.push(message));
  await writeFile(join(folder, 'file'), 'one');
  await reader.readOnce();
  await reader.readOnce();
  await writeFile(join(folder, 'file'), 'two');
  await reader.readOnce();
  assert.deepEqual(
    told.map((message) => message.type === 'value' && message.value),
    ['one', 'two'],
  );
  const { longestReadMs, ...counts } = reader.takeReport();
  assert.deepEqual(counts, { reads: 3, failures: 0, firstFailure: undefined });
  assert.ok(longestReadMs > 0);
  assert.equal(reader.takeReport().reads, 0);
});

test('EndlessReader counts a read that fails, with the errno of the first', async () => {
  const reader = new EndlessReader(join(folder, 'missing'), () => undefined);
  await reader.readOnce();
  await reader.readOnce();
  const { reads, failures, firstFailure } = reader.takeReport();
  assert.deepEqual([reads, failures, firstFailure], [0, 2, 'ENOENT']);
});

test('watchDirectory tells the rename of ..data', { timeout: 20_000 }, async () => {
  let seen: () => void = () => undefined;
  const renamed = new Promise<void>((resolve) => {
    seen = resolve;
  });
  const watcher = await watchDirectory(folder, (message) => {
    if (message.type === 'event' && message.name === '..data' && /MOVED_TO|rename/.test(message.event)) seen();
  });
  try {
    await symlink('somewhere', join(folder, '..data_tmp'));
    await rename(join(folder, '..data_tmp'), join(folder, '..data'));
    await renamed;
    await unlink(join(folder, '..data'));
  } finally {
    watcher.close();
  }
});
