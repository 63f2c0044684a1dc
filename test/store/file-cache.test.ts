import assert from 'node:assert/strict';
import { readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { FileCache } from '../../src/store/file-cache.ts';
import { makeStateDirectory } from './state-directory.ts';

const noCheck = async (): Promise<void> => undefined;

function openBelow(directory: string): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(directory);
    } catch {
      return false;
    }
  }).length;
}

async function readAll(handle: FileHandle): Promise<string> {
  const bytes = Buffer.alloc(10);
  const { bytesRead } = await handle.read(bytes, 0, 10, 0);
  return bytes.toString('utf8', 0, bytesRead);
}

test('keeps at most so many files open, and readers under way never lose theirs', async (t) => {
  const directory = makeStateDirectory(t);
  const cache = new FileCache(3);
  const paths = Array.from({ length: 10 }, (_, index) => join(directory, String(index)));
  for (const [index, path] of paths.entries()) writeFileSync(path, String(index));
  const contents = await Promise.all(
    paths.flatMap((path) => [cache.use(path, noCheck, readAll), cache.use(path, noCheck, readAll)]),
  );
  assert.deepEqual(
    contents,
    paths.flatMap((_, index) => [String(index), String(index)]),
  );
  assert(openBelow(directory) <= 3);
  await cache.close();
  assert.equal(openBelow(directory), 0);
});

test('a file is opened once while it is cached, and anew after drop', async (t) => {
  const path = join(makeStateDirectory(t), 'file');
  writeFileSync(path, 'a');
  const cache = new FileCache(3);
  t.after(() => cache.close());
  let opened = 0;
  const check = async (): Promise<void> => {
    opened += 1;
  };
  await cache.use(path, check, readAll);
  await cache.use(path, check, readAll);
  assert.equal(opened, 1);
  cache.drop(path);
  await cache.use(path, check, readAll);
  assert.equal(opened, 2);
});

test('a refused or missing file is not kept: the next reader tries again', async (t) => {
  const directory = makeStateDirectory(t);
  const path = join(directory, 'file');
  const cache = new FileCache(3);
  t.after(() => cache.close());
  await assert.rejects(cache.use(path, noCheck, readAll), { code: 'ENOENT' });
  writeFileSync(path, 'a');
  const refuse = async (): Promise<void> => {
    throw new Error('refused');
  };
  await assert.rejects(cache.use(path, refuse, readAll), /refused/);
  assert.equal(openBelow(directory), 0);
  assert.equal(await cache.use(path, noCheck, readAll), 'a');
});
