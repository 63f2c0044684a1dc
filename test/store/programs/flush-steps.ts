/** Makes commits of each strength, with a mark on standard error between them: for a trace of the system calls. */
import { writeSync } from 'node:fs';
import { silentLog } from '../../../src/base/log.ts';
import { bytesValue, numberKey } from '../../../src/store/codecs.ts';
import { Store } from '../../../src/store/store.ts';

const mark = (name: string): void => {
  writeSync(2, `MARK ${name}\n`);
};
const store = Store.open({ stateDir: process.argv[2] ?? '', log: silentLog });
const table = store.table('numbers', numberKey, bytesValue);
const put = (key: number): void => table.put(key, Buffer.alloc(100));
store.transactDurableSync(() => put(0));
mark('buffered');
for (let key = 0; key < 5; key += 1) store.transactBuffered(() => put(key));
mark('durable');
await store.transactDurable(() => put(1));
mark('durable-sync');
store.transactDurableSync(() => put(2));
mark('many-durable');
await Promise.all(Array.from({ length: 20 }, (_, key) => store.transactDurable(() => put(key))));
mark('aborted');
try {
  store.transactBuffered(() => {
    put(9);
    throw new Error('abandon');
  });
} catch (error) {
  mark(error instanceof Error && error.message === 'abandon' ? 'nothing-new' : 'unexpected');
}
await store.flush();
store.transactBuffered(() => put(10));
mark('close');
await store.close();
mark('closed');
