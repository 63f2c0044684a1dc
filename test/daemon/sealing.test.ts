import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { describeSealingKey, openSealingKey, sealingWarnings } from '../../src/daemon/sealing.ts';
import { makeStateDirectory } from '../store/state-directory.ts';

test('without a key file the runtime directory gets one, which a reboot takes away', (t) => {
  const place = { runtimeDir: makeStateDirectory(t) };
  const key = openSealingKey(place);
  const path = join(place.runtimeDir, 'secret.key');
  assert.ok(existsSync(path));
  assert.deepEqual(describeSealingKey(key, place), { id: key.id, path, outlivesReboot: false, keptOutOfSwap: true });
});

test('with a key file the runtime directory gets none', (t) => {
  const runtimeDir = makeStateDirectory(t);
  const keyFile = join(makeStateDirectory(t), 'key');
  writeFileSync(keyFile, Buffer.alloc(32, 3), { mode: 0o600 });
  const key = openSealingKey({ runtimeDir, keyFile });
  assert.ok(!existsSync(join(runtimeDir, 'secret.key')));
  const { path, outlivesReboot } = describeSealingKey(key, { runtimeDir, keyFile });
  assert.deepEqual([path, outlivesReboot], [keyFile, true]);
});

test('a key file that is missing is an error', (t) => {
  const runtimeDir = makeStateDirectory(t);
  assert.throws(() => openSealingKey({ runtimeDir, keyFile: join(runtimeDir, 'key') }), { code: 'NOT_FOUND' });
});

test('the status warns of a key that may be swapped out, and of Secrets sealed with another one', () => {
  const key = { id: '0123456789abcdef', path: '/etc/key', outlivesReboot: true, keptOutOfSwap: true };
  assert.deepEqual(sealingWarnings(key, 0, 0), []);
  assert.match(sealingWarnings(key, 12, 0)[0] ?? '', /ENOMEM.*LimitMEMLOCK/);
  assert.match(sealingWarnings(key, 0, 1)[0] ?? '', /^1 Secret is sealed with another key than 0123456789abcdef/);
  assert.match(sealingWarnings(key, 0, 2)[0] ?? '', /^2 Secrets are .* of \/etc\/key/);
});
