import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { isService, type ScopePlaces, scopeWords } from '../../../src/thinpool/reflink/guard-scope.ts';

let folder: string;
let places: ScopePlaces;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dunnage-scope-'));
  places = { runsSystemd: folder, ownGroups: join(folder, 'cgroup'), program: join(folder, 'systemd-run') };
  writeFileSync(places.program, '#!/bin/sh\n');
  chmodSync(places.program, 0o755);
  writeFileSync(places.ownGroups, '0::/system.slice/dunnage.service\n');
});
afterEach(() => rmSync(folder, { recursive: true }));

test('what a service starts gets a scope of its own', () => {
  const words = scopeWords('guard of p', places);
  assert.deepEqual(words, [places.program, '--scope', '--quiet', '--collect', '--description=guard of p', '--']);
});

test('it is started as it is where that is not needed, or not to be had', () => {
  writeFileSync(places.ownGroups, '0::/user.slice/user-0.slice/session-3.scope\n');
  assert.deepEqual(scopeWords('p', places), []);
  writeFileSync(places.ownGroups, '0::/system.slice/dunnage.service\n');
  assert.deepEqual(scopeWords('p', { ...places, runsSystemd: join(folder, 'missing') }), []);
  chmodSync(places.program, 0o644);
  assert.deepEqual(scopeWords('p', places), []);
});

test('a service is told by its group, with cgroup v2 and with v1', () => {
  for (const [groups, expected] of [
    ['0::/system.slice/dunnage.service\n', true],
    ['0::/system.slice/dunnage.service/worker\n', true],
    ['5:memory:/\n1:name=systemd:/system.slice/dunnage.service\n', true],
    ['5:memory:/system.slice/other.service\n0::/\n', false],
    ['0::/user.slice/user-0.slice/session-3.scope\n', false],
    ['0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope\n', false],
    ['0::/user.slice/user-1000.slice/user@1000.service/app.slice/dunnage.service\n', true],
    ['', false],
  ] as const) {
    assert.equal(isService(groups), expected, groups);
  }
});
