import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import { ControlClient } from '../../../src/server/control-client.ts';
import { exampleDevice, examplePool, examplePoolReport } from '../fake-pools.ts';
import { ask } from '../raw-request.ts';
import { serveFake } from '../serve-fake.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

test('every operation on pools arrives with its arguments, and its answer comes back whole', async (context) => {
  const { socketPath, pools } = await serveFake(context);
  pools.pools.push(examplePool(), examplePool({ name: 'b', state: 'broken', reason: 'no such device', devices: [] }));
  pools.report = examplePoolReport('unrepaired');
  const client = new ControlClient(socketPath).pools;
  const spec = { directory: '/mnt/xfs/pool', overcommit: { allowed: true } };
  pools.warnings = ['development only'];
  const applied = await client.putPool('fast', spec, true);
  assert.deepEqual([applied.action, applied.warnings], ['created', ['development only']]);
  assert.deepEqual(await client.listPools(), await pools.listPools());
  assert.deepEqual(await client.getPool('fast'), await pools.getPool('fast'));
  assert.deepEqual(await client.poolStatus('fast'), examplePool());
  assert.equal((await client.poolStatus('b')).reason, 'no such device');
  assert.deepEqual(await client.checkPool('fast'), pools.report);
  assert.deepEqual(await client.repairPool('fast', { deleteUnknown: true }), pools.report);
  assert.deepEqual(await client.deletePool('fast', true), { name: 'fast', devices: ['web', 'before'], left: '' });
  await client.deletePool('b', false);
  const asked = pools.calls.filter(([name]) => name !== 'listPools' && name !== 'getPool' && name !== 'poolStatus');
  assert.deepEqual(asked, [
    ['putPool', 'fast', spec, true],
    ['checkPool', 'fast'],
    ['repairPool', 'fast', { deleteUnknown: true }],
    ['deletePool', 'fast', true],
    ['deletePool', 'b', false],
  ]);
});

test('every operation on devices arrives with its arguments, and its answer comes back whole', async (context) => {
  const { socketPath, pools } = await serveFake(context);
  pools.pools.push(examplePool());
  const client = new ControlClient(socketPath).pools;
  assert.deepEqual(await client.listPoolDevices('fast'), examplePool().devices);
  assert.deepEqual(await client.putPoolDevice('fast', 'a+b', { sizeBytes: 4096 }), exampleDevice('a+b'));
  assert.deepEqual(await client.putPoolDevice('fast', 'c', { snapshotOf: 'a+b' }), exampleDevice('c'));
  assert.equal((await client.deactivatePoolDevice('fast', 'c')).active, false);
  assert.equal((await client.activatePoolDevice('fast', 'c')).active, true);
  assert.equal(await client.deletePoolDevice('fast', 'c'), undefined);
  assert.deepEqual(pools.calls, [
    ['listPoolDevices', 'fast'],
    ['putPoolDevice', 'fast', 'a+b', { sizeBytes: 4096 }],
    ['putPoolDevice', 'fast', 'c', { snapshotOf: 'a+b' }],
    ['deactivatePoolDevice', 'fast', 'c'],
    ['activatePoolDevice', 'fast', 'c'],
    ['deletePoolDevice', 'fast', 'c'],
  ]);
});

test('errors come back with their code and remedy', async (context) => {
  const { socketPath, pools } = await serveFake(context);
  const client = new ControlClient(socketPath).pools;
  await assert.rejects(client.poolStatus('none'), { code: 'NOT_FOUND' });
  pools.failure = new DunnageError('BUSY', 'the pool fast has 2 devices: a, b', { remedy: 'use --force' });
  await assert.rejects(client.deletePool('fast', false), { code: 'BUSY', remedy: 'use --force' });
});

test('a daemon without thin pools says so', async (context) => {
  const { socketPath } = await serveFake(context, { withoutPools: true });
  await assert.rejects(new ControlClient(socketPath).pools.listPools(), { code: 'NOT_SUPPORTED', remedy: /doctor/ });
});

test('what is no request of these routes never reaches the daemon', async (context) => {
  const { socketPath, pools } = await serveFake(context);
  const put = { method: 'PUT', headers: JSON_TYPE };
  const requests = [
    { ...put, path: '/v1/pools/a', body: '{}' },
    { ...put, path: '/v1/pools/a', body: '{"spec":"text"}' },
    { ...put, path: '/v1/pools/a', body: '{"spec":{},"more":1}' },
    { ...put, path: '/v1/pools/a?onlyNew=maybe', body: '{"spec":{}}' },
    { ...put, path: '/v1/pools/a/devices/b', body: '{"sizeBytes":0}' },
    { ...put, path: '/v1/pools/a/devices/b', body: '{"sizeBytes":1.5}' },
    { ...put, path: '/v1/pools/a/devices/b', body: '{"size":"1GiB"}' },
    { method: 'POST', path: '/v1/pools/a/repair', headers: JSON_TYPE, body: '{"deleteUnknown":"yes"}' },
    { method: 'DELETE', path: '/v1/pools/a?force=1' },
    { method: 'GET', path: `/v1/pools/${'x'.repeat(256)}` },
  ];
  for (const request of requests) assert.equal((await ask(socketPath, request)).status, 400, request.path);
  assert.deepEqual(pools.calls, []);
});
