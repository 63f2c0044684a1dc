import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { resolveUpSettings, toCommandLine } from '../../../src/cli/config/up-settings.ts';
import type { Surroundings } from '../../../src/cli/locations.ts';

const root: Surroundings = { environment: {}, userId: 0, home: '/root' };

test('without a word everything has its default', () => {
  assert.deepEqual(resolveUpSettings({}, {}, root), {
    stateDir: '/var/lib/dunnage',
    runtimeDir: '/run/dunnage',
    mountPoint: '/run/dunnage/mnt',
    controlSocket: '/run/dunnage/dunnage.sock',
    transport: 'auto',
    takeoverTimeoutSeconds: 300,
    scrubBytesPerSecond: 8 * 1024 ** 2,
    scrubIntervalSeconds: 7 * 24 * 3600,
    logLevel: 'info',
    logFormat: 'json',
  });
});

test('the command line wins over the file, and the file over the default', () => {
  const config = {
    state_dir: '/c/s',
    runtime_dir: '/c/r',
    mount: '/c/m',
    log_level: 'warn',
    takeover_timeout: '1h',
  } as const;
  const settings = resolveUpSettings({ stateDir: '/o/s', logLevel: 'debug', takeoverTimeout: '90s' }, config, root);
  assert.deepEqual(
    [settings.stateDir, settings.runtimeDir, settings.mountPoint, settings.logLevel, settings.takeoverTimeoutSeconds],
    ['/o/s', '/c/r', '/c/m', 'debug', 90],
  );
  assert.equal(resolveUpSettings({}, config, root).takeoverTimeoutSeconds, 3600);
});

test('the socket is where clients with the same words look for it', () => {
  const environment = { ...root, environment: { DUNNAGE_SOCKET: '/e.sock' } };
  const socket = (...given: Parameters<typeof resolveUpSettings>): string => resolveUpSettings(...given).controlSocket;
  assert.equal(socket({ socket: '/o.sock', runtimeDir: '/o' }, { socket: '/c.sock' }, environment), '/o.sock');
  assert.equal(socket({ runtimeDir: '/o' }, { socket: '/c.sock' }, environment), '/o/dunnage.sock');
  assert.equal(socket({}, { socket: '/c.sock' }, environment), '/e.sock');
  assert.equal(socket({}, { socket: '/c.sock', runtime_dir: '/c' }, root), '/c.sock');
  assert.equal(socket({}, { runtime_dir: '/c' }, root), '/c/dunnage.sock');
});

test('relative paths are made absolute, so that the daemon may leave the directory', () => {
  const settings = resolveUpSettings({ stateDir: 's', runtimeDir: 'r' }, { mount: 'm' }, root);
  assert.deepEqual(
    [settings.stateDir, settings.mountPoint, settings.controlSocket],
    [resolve('s'), resolve('m'), resolve('r/dunnage.sock')],
  );
});

test('a detached daemon is given every setting', () => {
  const settings = resolveUpSettings({ stateDir: '/a b', takeoverTimeout: '1h30m' }, {}, root);
  const words = toCommandLine(settings);
  assert.equal(words.length, Object.keys(settings).length);
  assert.ok(words.includes('--state-dir=/a b'));
  assert.ok(words.includes('--takeover-timeout=5400s'));
});

test('a timeout that is none is refused', () => {
  for (const takeoverTimeout of ['', '5', 'soon', '0s', '31d', '-1s', '1.5h', '5m5m']) {
    assert.throws(() => resolveUpSettings({ takeoverTimeout }, {}, root), { code: 'INVALID_ARGUMENT' });
  }
});

test('a key file is passed on as an absolute path, and not at all where none is named', () => {
  assert.equal('keyFile' in resolveUpSettings({}, {}, root), false);
  const settings = resolveUpSettings({ keyFile: '/o/key' }, { key_file: '/c/key' }, root);
  assert.equal(settings.keyFile, '/o/key');
  assert.equal(resolveUpSettings({}, { key_file: 'key' }, root).keyFile, resolve('key'));
  assert.ok(toCommandLine(settings).includes('--key-file=/o/key'));
  assert.ok(!toCommandLine(resolveUpSettings({}, {}, root)).some((word) => word.startsWith('--key-file')));
});

test('the scrub has a rate and an interval, and can be turned off', () => {
  const settings = resolveUpSettings({ scrubRate: '512KiB' }, { scrub_rate: '0', scrub_interval: '12h' }, root);
  assert.deepEqual([settings.scrubBytesPerSecond, settings.scrubIntervalSeconds], [524_288, 43_200]);
  assert.equal(resolveUpSettings({}, { scrub_rate: '0' }, root).scrubBytesPerSecond, 0);
  for (const scrubRate of ['', 'fast', '1', '-1', '8MB', '1KiB']) {
    assert.throws(() => resolveUpSettings({ scrubRate }, {}, root), { code: 'INVALID_ARGUMENT' });
  }
  for (const scrubInterval of ['', '0s', 'weekly', '400d']) {
    assert.throws(() => resolveUpSettings({ scrubInterval }, {}, root), { code: 'INVALID_ARGUMENT' });
  }
});
