/** Commits without a flush and is killed at once, with another transaction half done. */
import { silentLog } from '../../../src/base/log.ts';
import { jsonValue, stringKey } from '../../../src/store/codecs.ts';
import { Store } from '../../../src/store/store.ts';

const store = Store.open({ stateDir: process.argv[2] ?? '', log: silentLog });
const table = store.table('words', stringKey, jsonValue<string>());
store.transactBuffered(() => table.put('committed', 'yes'));
store.transactBuffered(() => {
  table.put('uncommitted', 'yes');
  process.kill(process.pid, 'SIGKILL');
});
