/** Fills the disk below its argument, which has a file `ballast`, then removes the ballast and goes on. Prints what happened. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { silentLog } from '../../../src/base/log.ts';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import { bytesValue, numberKey } from '../../../src/store/codecs.ts';
import { Store } from '../../../src/store/store.ts';

const stateDir = process.argv[2] ?? '';
const store = Store.open({ stateDir, log: silentLog });
const table = store.table('numbers', numberKey, bytesValue);
const put = (key: number): void => table.put(key, Buffer.alloc(20_000, key));
const codes: (string | undefined)[] = [];
let key = 0;
while (codes.length < 3) {
  try {
    store.transactBuffered(() => put(key));
    key += 1;
  } catch (error) {
    codes.push(error instanceof DunnageError ? error.code : String(error));
  }
}
const kept = table.count();
rmSync(join(stateDir, 'ballast'));
await store.transactDurable(() => put(key));
await store.close();
const again = Store.open({ stateDir, log: silentLog });
const contents = again.table('numbers', numberKey, bytesValue);
const isWhole = [...contents.range({})].every((entry) => Buffer.alloc(20_000, entry.key).equals(entry.value));
process.stdout.write(JSON.stringify({ codes, lost: key - kept, after: contents.count() - kept, isWhole }));
await again.close();
