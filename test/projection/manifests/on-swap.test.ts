import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseManifests } from '../../../src/projection/manifests/parse-manifests.ts';
import type { Reaction } from '../../../src/projection/reactions/reaction.ts';

const read = (onSwap: string): readonly Reaction[] | undefined =>
  parseManifests(
    `apiVersion: dunnage/v1\nkind: Projection\nmetadata: {name: web}\nspec: {files: [], onSwap: ${onSwap}}`,
  )[0]?.onSwap;

describe('spec.onSwap', () => {
  it('reads commands and signals, in order', () => {
    assert.deepEqual(
      read(`[
        {exec: {command: [/usr/sbin/nginx, -s, reload], timeout: 1m30s, env: {LEVEL: info}}},
        {exec: {command: [/bin/true]}},
        {signal: {pidFile: /run/nginx.pid, signal: SIGHUP}},
        {signal: {cgroup: /sys/fs/cgroup/app.slice/, signal: SIGUSR1}}]`),
      [
        {
          kind: 'exec',
          command: ['/usr/sbin/nginx', '-s', 'reload'],
          timeoutMs: 90_000,
          environment: { LEVEL: 'info' },
        },
        { kind: 'exec', command: ['/bin/true'], timeoutMs: 30_000, environment: {} },
        { kind: 'pidFile', pidFile: '/run/nginx.pid', signal: 'SIGHUP' },
        { kind: 'cgroup', cgroup: '/sys/fs/cgroup/app.slice', signal: 'SIGUSR1' },
      ],
    );
  });

  it('is empty where it is absent, and nothing that a ConfigMap or Secret could have', () => {
    assert.deepEqual(read('[]'), []);
    assert.deepEqual(read('null'), []);
    assert.equal(parseManifests('{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}')[0]?.onSwap, undefined);
  });

  const refused: readonly [name: string, onSwap: string, message: RegExp][] = [
    ['a map', '{exec: {command: [/bin/true]}}', /spec\.onSwap: must be a list/],
    ['neither', '[{}]', /onSwap\[0\]: must have exactly one of exec and signal/],
    ['an unknown field', '[{run: x}]', /onSwap\[0\]\.run: is not a known field/],
    ['a command line', '[{exec: {command: "nginx -s reload"}}]', /exec\.command: must be a list/],
    ['no command', '[{exec: {timeout: 1s}}]', /exec\.command: is missing/],
    ['an empty command', '[{exec: {command: []}}]', /exec\.command: must name a program/],
    ['a relative program', '[{exec: {command: [nginx]}}]', /command\[0\]: must be an absolute path/],
    ['a number as argument', '[{exec: {command: [/bin/echo, 1]}}]', /command\[1\]: must be a string/],
    ['a timeout without unit', '[{exec: {command: [/bin/true], timeout: 30}}]', /timeout: must be a string/],
    ['no time at all', '[{exec: {command: [/bin/true], timeout: 0s}}]', /timeout: must be a duration up to 1h/],
    ['too much time', '[{exec: {command: [/bin/true], timeout: 2h}}]', /timeout: must be a duration up to 1h/],
    [
      'a reserved variable',
      '[{exec: {command: [/bin/true], env: {DUNNAGE_PATH: /}}}]',
      /env\.DUNNAGE_PATH: is reserved/,
    ],
    [
      'a wrong variable',
      '[{exec: {command: [/bin/true], env: {"A=B": x}}}]',
      /is not a name of an environment variable/,
    ],
    ['a long command', `[{exec: {command: [/bin/true, ${'x'.repeat(70_000)}]}}]`, /is longer than 64 KiB/],
    ['two targets', '[{signal: {pidFile: /a, cgroup: /b, signal: SIGHUP}}]', /exactly one of pidFile and cgroup/],
    ['no signal', '[{signal: {pidFile: /a}}]', /signal\.signal: is missing/],
    ['a signal nobody knows', '[{signal: {pidFile: /a, signal: HUP}}]', /"HUP" is not a signal/],
    ['a relative pid file', '[{signal: {pidFile: a.pid, signal: SIGHUP}}]', /pidFile: must be an absolute path/],
    ['a group elsewhere', '[{signal: {cgroup: /tmp/a, signal: SIGHUP}}]', /cgroup: must be below \/sys\/fs\/cgroup/],
    ['every group', '[{signal: {cgroup: /sys/fs/cgroup/, signal: SIGHUP}}]', /cgroup: must be below/],
    ['climbing', '[{signal: {cgroup: /sys/fs/cgroup/../x, signal: SIGHUP}}]', /must be written without/],
    ['too many', `[${Array(33).fill('{exec: {command: [/bin/true]}}').join(', ')}]`, /has more than 32 entries/],
  ];
  for (const [name, onSwap, message] of refused) {
    it(`refuses ${name}`, () => {
      assert.throws(() => read(onSwap), { code: 'INVALID_MANIFEST', message });
    });
  }
});
