import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { silentLog } from '../../src/base/log.ts';
import { dataFile, openEnvironment } from '../../src/store/environment.ts';
import { makeStateDirectory } from './state-directory.ts';

test('freed memory of the process never shows in the data file', async (t) => {
  const stateDir = makeStateDirectory(t);
  const environment = openEnvironment({
    stateDir,
    mapSizeBytes: 2 ** 20,
    readOnly: false,
    bootId: 'b'.repeat(36),
    log: silentLog,
  });
  t.after(() => environment.close());
  const marker = Buffer.from('leftover-of-the-heap');
  // Much freed memory full of the marker, then many half-empty pages.
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  for (let round = 0; round < 3000; round += 1) Buffer.allocUnsafeSlow(4096).fill(marker);
  collectGarbage();
  environment.transactionSync(() => {
    for (let key = 0; key < 300; key += 1) environment.putSync(Buffer.from(`key-${key}`), Buffer.alloc(1300, 1));
  });
  assert.equal(readFileSync(dataFile(stateDir)).includes(marker), false);
  assert(statSync(dataFile(stateDir)).size > 300 * 1300);
});

test('read-only needs metadata that is there', (t) => {
  const options = { mapSizeBytes: 2 ** 20, readOnly: true, bootId: 'b'.repeat(36), log: silentLog };
  assert.throws(() => openEnvironment({ ...options, stateDir: makeStateDirectory(t) }), { code: 'NOT_FOUND' });
});
