import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { jsonValue, stringKey } from '../../src/store/codecs.ts';
import { FORMAT_VERSION } from '../../src/store/format-version.ts';
import { Store } from '../../src/store/store.ts';
import { makeStateDirectory, openStore } from './state-directory.ts';

async function stateOfVersion(stateDir: string, version: unknown): Promise<void> {
  const store = Store.open({ stateDir, log: silentLog });
  const table = store.table('format', stringKey, jsonValue<unknown>());
  store.transactDurableSync(() => table.put('version', version));
  await store.close();
}

test('state of this version opens again', async (t) => {
  const stateDir = makeStateDirectory(t);
  await stateOfVersion(stateDir, FORMAT_VERSION);
  openStore(t, stateDir);
});

test('state of a newer version is refused with a remedy', async (t) => {
  const stateDir = makeStateDirectory(t);
  await stateOfVersion(stateDir, FORMAT_VERSION + 1);
  assert.throws(
    () => Store.open({ stateDir, log: silentLog }),
    (error: { code?: string; remedy?: string }) =>
      error.code === 'NOT_SUPPORTED' && error.remedy?.includes('newer version') === true,
  );
});

test('a version that makes no sense is CORRUPT', async (t) => {
  for (const version of ['one', 0, null]) {
    const stateDir = makeStateDirectory(t);
    await stateOfVersion(stateDir, version);
    assert.throws(() => Store.open({ stateDir, log: silentLog }), { code: 'CORRUPT' });
  }
});
