import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ControlClient } from '../../../src/server/control-client.ts';
import { exampleDiff, exampleHistory } from '../fake-operations.ts';
import { ask, type RawRequest } from '../raw-request.ts';
import { serveFake } from '../serve-fake.ts';

const OBJECT = '/v1/projections/ConfigMap/prod/web';
const JSON_TYPE = { 'content-type': 'application/json' };

test('every operation arrives with its arguments, and its answer comes back whole', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  const client = new ControlClient(socketPath);
  // What is undefined is not in the answer.
  const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
  assert.deepEqual(plain(await client.projectionHistory('ConfigMap', 'prod', 'web')), plain(exampleHistory()));
  assert.deepEqual(
    plain(await client.diffProjection('ConfigMap', 'prod', 'web', { from: 3, to: undefined })),
    plain(exampleDiff()),
  );
  await client.diffProjection('Projection', 'default', 'a', { from: undefined, to: undefined });
  await client.diffProjection('Projection', 'default', 'a', { from: 1, to: 2 });
  assert.deepEqual(await client.rollbackProjection('Secret', 'default', 'db', 7), operations.rolledBack);
  await client.rollbackProjection('Secret', 'default', 'db', undefined);
  assert.deepEqual(await client.purgeHistory('Projection', 'default', 'a', 3), operations.purged);
  await ask(socketPath, { method: 'DELETE', path: `${OBJECT}/history` });
  assert.deepEqual(
    operations.calls.map(({ name, arguments: given }) => [name, ...given]),
    [
      ['projectionHistory', 'ConfigMap', 'prod', 'web'],
      ['diffProjection', 'ConfigMap', 'prod', 'web', { from: 3, to: undefined }],
      ['diffProjection', 'Projection', 'default', 'a', { from: undefined, to: undefined }],
      ['diffProjection', 'Projection', 'default', 'a', { from: 1, to: 2 }],
      ['rollbackProjection', 'Secret', 'default', 'db', 7],
      ['rollbackProjection', 'Secret', 'default', 'db', undefined],
      ['purgeHistory', 'Projection', 'default', 'a', 3],
      ['purgeHistory', 'ConfigMap', 'prod', 'web', 1],
    ],
  );
});

const rollback = (body: string): RawRequest => ({
  method: 'POST',
  path: `${OBJECT}/rollback`,
  headers: JSON_TYPE,
  body,
});

const refused: readonly (readonly [what: string, request: RawRequest, message: RegExp])[] = [
  ['generation 0', { method: 'GET', path: `${OBJECT}/diff?from=0` }, /^querystring\.from/],
  ['a generation in words', { method: 'GET', path: `${OBJECT}/diff?to=last` }, /^querystring\.to/],
  ['a generation beyond exact numbers', { method: 'GET', path: `${OBJECT}/diff?to=${'9'.repeat(16)}` }, /\.to/],
  ['an unknown query field', { method: 'GET', path: `${OBJECT}/diff?since=1` }, /unknown field "since"/],
  ['to keep none', { method: 'DELETE', path: `${OBJECT}/history?keep=0` }, /^querystring\.keep/],
  ['an unknown kind', { method: 'GET', path: '/v1/projections/Pod/prod/web/history' }, /^params\.kind/],
  ['a rollback to 0', rollback('{"to":0}'), /^body\.to/],
  ['a rollback to a word', rollback('{"to":"3"}'), /^body\.to: must be integer/],
  ['an unknown field', rollback('{"from":3}'), /unknown field "from"/],
  ['a rollback without a body', { method: 'POST', path: `${OBJECT}/rollback` }, /body/],
];

for (const [what, request, message] of refused) {
  test(`refused: ${what}`, async (context) => {
    const { socketPath, operations } = await serveFake(context);
    const answer = await ask(socketPath, request);
    assert.equal(answer.status, 400, answer.text);
    assert.match((answer.body as { error: { message: string } }).error.message, message);
    assert.deepEqual(operations.calls, []);
  });
}
