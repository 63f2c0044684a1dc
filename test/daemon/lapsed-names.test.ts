import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import type { NodeId } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { type LapsedNames, lookUpLapsed } from '../../src/daemon/lapsed-names.ts';

function scene(outcome: () => Promise<readonly number[]>): {
  readonly options: LapsedNames;
  readonly asked: unknown[];
} {
  const asked: unknown[] = [];
  const catalog = {
    refresh: () => undefined,
    projection: (id: number) => (id === 7 ? { directory: 'configmap.web' } : undefined),
  };
  const throughMount: LapsedNames['throughMount'] = {
    run: (directory, operations) => {
      asked.push([directory, ...operations]);
      return outcome();
    },
  };
  return { options: { catalog: catalog as never, throughMount, log: silentLog }, asked };
}

test('a lapsed name is looked up in the directory of its projection', async () => {
  const { options, asked } = scene(async () => [constants.errno.ENOENT]);
  await lookUpLapsed(options, 7 as NodeId, '..ts');
  assert.deepEqual(asked, [['configmap.web', { kind: 'rmdir', name: '..ts' }]]);
});

test('a projection that is gone needs no lookup', async () => {
  const { options, asked } = scene(async () => []);
  await lookUpLapsed(options, 8 as NodeId, '..ts');
  assert.deepEqual(asked, []);
});

test('an agent that is closed, and a name that is there again, fail nobody', async () => {
  await lookUpLapsed(scene(() => Promise.reject(new Error('closed'))).options, 7 as NodeId, '..ts');
  await lookUpLapsed(scene(async () => [constants.errno.EROFS]).options, 7 as NodeId, '..ts');
});
