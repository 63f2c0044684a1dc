/** Stores content and is killed at the step that its argument names, or goes on until somebody kills it. */
import { join } from 'node:path';
import { silentLog } from '../../../src/base/log.ts';
import { BlobStore, type PreparedBlob } from '../../../src/store/blob-store.ts';
import type { Digest } from '../../../src/store/digest.ts';
import { SealingKey } from '../../../src/store/sealing-key.ts';
import { Store } from '../../../src/store/store.ts';

const [stateDir = '', step = '', seed = '0'] = process.argv.slice(2);
const store = Store.open({ stateDir, log: silentLog });
const die = (at: string): void => {
  if (at === step) process.kill(process.pid, 'SIGKILL');
};
const blobs = new BlobStore({
  store,
  stateDir,
  sealingKey: SealingKey.loadOrCreate(join(stateDir, 'key')),
  log: silentLog,
  onStep: die,
});

/** What a test recognises: large and small, plain and secret, by turns. */
async function prepare(number: number): Promise<PreparedBlob> {
  const data = Buffer.alloc(number % 3 === 0 ? 500 : 150_000, `content ${number} `);
  return await blobs.prepare(data, number % 2 === 0 ? 'plain' : 'secret');
}

await blobs.sweep();
const kept: Digest[] = [];
for (let round = Number(seed) * 1000; ; round += 1) {
  const prepared = await Promise.all([prepare(round), prepare(round + 1), prepare(round + 2)]);
  die('prepared');
  const [first, second, third] = prepared;
  if (first === undefined || second === undefined || third === undefined) throw new Error('three were prepared');
  store.transactBuffered(() => {
    blobs.retain(first);
    blobs.retain(second);
    die('retained-uncommitted');
  });
  die('retained');
  kept.push(first.digest, second.digest);
  blobs.abandon(third);
  die('abandoned');
  if (kept.length > 4) {
    const oldest = kept.splice(0, 3);
    store.transactBuffered(() => {
      for (const digest of oldest) blobs.release(digest);
    });
    die('released');
  }
  await blobs.collect();
  if (round % 1000 === 6) die('collected');
}
