import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import {
  defaultRuntimeDir,
  defaultStateDir,
  findRuntimeDir,
  findSocket,
  type Surroundings,
} from '../../src/cli/locations.ts';

const root: Surroundings = { environment: { XDG_STATE_HOME: '/x', XDG_RUNTIME_DIR: '/y' }, userId: 0, home: '/root' };
const user = (environment: Record<string, string> = {}): Surroundings => ({
  environment,
  userId: 1000,
  home: '/home/u',
});

test('root has the places of the system, whatever the environment says', () => {
  assert.equal(defaultStateDir(root), '/var/lib/dunnage');
  assert.equal(defaultRuntimeDir(root), '/run/dunnage');
  assert.equal(findSocket({}, root), '/run/dunnage/dunnage.sock');
});

test('a user has those of the XDG base directories; relative ones are ignored', () => {
  assert.equal(defaultStateDir(user()), '/home/u/.local/state/dunnage');
  assert.equal(defaultStateDir(user({ XDG_STATE_HOME: '/s' })), '/s/dunnage');
  assert.equal(defaultStateDir(user({ XDG_STATE_HOME: 's' })), '/home/u/.local/state/dunnage');
  assert.equal(defaultRuntimeDir(user({ XDG_RUNTIME_DIR: '/run/user/1000' })), '/run/user/1000/dunnage');
  for (const surroundings of [user(), user({ XDG_RUNTIME_DIR: 'r' }), user({ XDG_RUNTIME_DIR: '' })]) {
    assert.throws(() => defaultRuntimeDir(surroundings), { code: 'INVALID_ARGUMENT' });
  }
});

test('the nearest word about the socket counts', () => {
  const environment = user({ DUNNAGE_SOCKET: '/e/e.sock', XDG_RUNTIME_DIR: '/r' });
  assert.equal(findSocket({ socket: '/s/s.sock', runtimeDir: '/d' }, environment), '/s/s.sock');
  assert.equal(findSocket({ runtimeDir: '/d' }, environment), '/d/dunnage.sock');
  assert.equal(findSocket({}, environment), '/e/e.sock');
  assert.equal(findSocket({}, user({ DUNNAGE_SOCKET: '', XDG_RUNTIME_DIR: '/r' })), '/r/dunnage/dunnage.sock');
  assert.equal(findSocket({ socket: 'rel.sock' }, root), resolve('rel.sock'));
});

test('the runtime directory is that of the named socket, unless it is named itself', () => {
  assert.equal(findRuntimeDir({ socket: '/s/s.sock' }, root), '/s');
  assert.equal(findRuntimeDir({ socket: '/s/s.sock', runtimeDir: '/d' }, root), '/d');
  assert.equal(findRuntimeDir({}, user({ DUNNAGE_SOCKET: '/e/e.sock' })), '/e');
  assert.equal(findRuntimeDir({}, root), '/run/dunnage');
});
