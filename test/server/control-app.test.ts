import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { limits } from '../../src/base/limits.ts';
import { DunnageError } from '../../src/errors/dunnage-error.ts';
import { ask, type RawRequest, sendBytes } from './raw-request.ts';
import { serveFake } from './serve-fake.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
const YAML_TYPE = { 'content-type': 'application/yaml' };

const refused: readonly (readonly [
  what: string,
  request: RawRequest,
  status: number,
  code: string,
  message: RegExp,
])[] = [
  ['an unknown route', { method: 'GET', path: '/v1/nothing' }, 404, 'NOT_FOUND', /GET \/v1\/nothing/],
  ['a wrong method', { method: 'PATCH', path: '/v1/status' }, 404, 'NOT_FOUND', /PATCH/],
  ['a method that no route offers', { method: 'OPTIONS', path: '/v1/status' }, 404, 'NOT_FOUND', /OPTIONS/],
  [
    'an unknown kind',
    { method: 'GET', path: '/v1/projections/Pod/default/x' },
    400,
    'INVALID_ARGUMENT',
    /^params\.kind: must be one of Projection/,
  ],
  [
    'an unknown kind to list',
    { method: 'GET', path: '/v1/projections?kind=Pod' },
    400,
    'INVALID_ARGUMENT',
    /^querystring\.kind: must be one of/,
  ],
  [
    'a kind given twice',
    { method: 'GET', path: '/v1/projections?kind=Secret&kind=Secret' },
    400,
    'INVALID_ARGUMENT',
    /^querystring\.kind/,
  ],
  [
    'an unknown query field',
    { method: 'GET', path: '/v1/projections?name=x' },
    400,
    'INVALID_ARGUMENT',
    /unknown field "name"/,
  ],
  [
    '__proto__ as a query field',
    { method: 'GET', path: '/v1/projections?__proto__=x' },
    400,
    'INVALID_ARGUMENT',
    /querystring/,
  ],
  [
    'a name that is too long',
    { method: 'GET', path: `/v1/projections/Secret/default/${'x'.repeat(254)}` },
    400,
    'INVALID_ARGUMENT',
    /^params\.name/,
  ],
  [
    'a name that is far too long',
    { method: 'GET', path: `/v1/projections/Secret/default/${'x'.repeat(5000)}` },
    400,
    'NAME_TOO_LONG',
    /too long/,
  ],
  [
    'a path with broken escapes',
    { method: 'GET', path: '/v1/projections/Secret/default/%zz' },
    400,
    'INVALID_ARGUMENT',
    /valid URL path/,
  ],
  [
    'JSON to apply',
    { method: 'POST', path: '/v1/apply', headers: JSON_TYPE, body: '{}' },
    400,
    'INVALID_ARGUMENT',
    /content type/,
  ],
  [
    'a body without a type',
    { method: 'POST', path: '/v1/apply', body: 'kind: Secret' },
    400,
    'INVALID_ARGUMENT',
    /content type/,
  ],
  [
    'a type that is no type',
    { method: 'POST', path: '/v1/apply', headers: { 'content-type': ';;' }, body: 'x' },
    400,
    'INVALID_ARGUMENT',
    /content type/,
  ],
  [
    'a manifest that is not UTF-8',
    { method: 'POST', path: '/v1/apply', headers: YAML_TYPE, body: Buffer.from([0xff, 0xfe]) },
    400,
    'INVALID_ARGUMENT',
    /UTF-8/,
  ],
  ['a shutdown without a body', { method: 'POST', path: '/v1/shutdown' }, 400, 'INVALID_ARGUMENT', /body/],
  [
    'a shutdown that does not say which',
    { method: 'POST', path: '/v1/shutdown', headers: JSON_TYPE, body: '{}' },
    400,
    'INVALID_ARGUMENT',
    /^body: lacks the field "unmount"/,
  ],
  [
    'a word for a boolean',
    { method: 'POST', path: '/v1/shutdown', headers: JSON_TYPE, body: '{"unmount":"true"}' },
    400,
    'INVALID_ARGUMENT',
    /^body\.unmount: must be boolean/,
  ],
  [
    '__proto__ in a body',
    { method: 'POST', path: '/v1/shutdown', headers: JSON_TYPE, body: '{"unmount":true,"__proto__":{"x":1}}' },
    400,
    'INVALID_ARGUMENT',
    /unknown field "__proto__"/,
  ],
  [
    'constructor in a body',
    {
      method: 'POST',
      path: '/v1/shutdown',
      headers: JSON_TYPE,
      body: '{"unmount":true,"constructor":{"prototype":{}}}',
    },
    400,
    'INVALID_ARGUMENT',
    /unknown field "constructor"/,
  ],
  [
    'a payload that is no payload',
    { method: 'PUT', path: '/v1/projections/x', headers: JSON_TYPE, body: '[]' },
    400,
    'INVALID_ARGUMENT',
    /payload/,
  ],
  [
    'a payload path that climbs',
    { method: 'PUT', path: '/v1/projections/x', headers: JSON_TYPE, body: '{"files":{"../x":{"data":""}}}' },
    400,
    'INVALID_PATH',
    /files/,
  ],
];

for (const [what, request, status, code, message] of refused) {
  test(`refused: ${what}`, async (context) => {
    const { socketPath, operations } = await serveFake(context);
    const answer = await ask(socketPath, request);
    assert.equal(answer.status, status, answer.text);
    const { error } = answer.body as { error: { code: string; message: string } };
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assert.deepEqual(operations.calls, []);
  });
}

test('a broken document is refused without a word of its content', async (context) => {
  const { socketPath, logged } = await serveFake(context);
  for (const path of ['/v1/shutdown', '/v1/projections/x']) {
    const method = path === '/v1/shutdown' ? 'POST' : 'PUT';
    const answer = await ask(socketPath, { method, path, headers: JSON_TYPE, body: 'hunter2' });
    assert.equal(answer.status, 400);
    assert.doesNotMatch(answer.text, /hunter2|hunt/);
  }
  assert.doesNotMatch(JSON.stringify(logged), /hunt/);
});

test('deeply nested JSON is refused like any other wrong body', async (context) => {
  const { socketPath } = await serveFake(context);
  const deep = '['.repeat(1500) + ']'.repeat(1500);
  assert.equal(
    (await ask(socketPath, { method: 'POST', path: '/v1/shutdown', headers: JSON_TYPE, body: deep })).status,
    400,
  );
  const veryDeep = `{"files":${'{"a":'.repeat(500_000)}1${'}'.repeat(500_000)}}`;
  const answer = await ask(socketPath, {
    method: 'PUT',
    path: '/v1/projections/x',
    headers: JSON_TYPE,
    body: veryDeep,
  });
  assert.equal(answer.status, 400);
  assert.equal((await ask(socketPath, { method: 'GET', path: '/healthz' })).status, 200);
});

test('__proto__ as a path of a payload is plain data', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  const body = '{"files":{"__proto__":{"data":"eA==","mode":256},"constructor":{"data":"eQ=="}}}';
  assert.equal(
    (await ask(socketPath, { method: 'PUT', path: '/v1/projections/x', headers: JSON_TYPE, body })).status,
    200,
  );
  const files = operations.calls[0]?.arguments[1] as ReadonlyMap<string, { data: Uint8Array }>;
  assert.deepEqual([...files.keys()].sort(), ['__proto__', 'constructor']);
  assert.deepEqual(Buffer.from(files.get('__proto__')?.data ?? []), Buffer.from('x'));
  assert.equal(Object.hasOwn(Object.prototype, 'data'), false);
});

test('a body announced as too large is refused before it is read', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  const head = (path: string, type: string, length: number) =>
    `${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: ${type}\r\ncontent-length: ${length}\r\n\r\n`;
  for (const request of [
    head('POST /v1/apply', 'application/yaml', limits.manifestBytesMax + 1),
    head('PUT /v1/projections/x', 'application/json', limits.controlBodyBytesMax + 1),
    head('POST /v1/shutdown', 'application/json', 5000),
  ]) {
    const text = await sendBytes(socketPath, request);
    assert.match(text, /^HTTP\/1\.1 413 /);
    assert.match(text, /"code":"TOO_LARGE"/);
  }
  assert.deepEqual(operations.calls, []);
});

test('a body that grows too large without saying so is cut', async (context) => {
  const { socketPath } = await serveFake(context);
  const chunk = 'x'.repeat(0x1000);
  const text = await sendBytes(
    socketPath,
    `POST /v1/shutdown HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n${`1000\r\n${chunk}\r\n`.repeat(3)}`,
  );
  assert.match(text, /"code":"TOO_LARGE"/);
});

test('what is not HTTP gets an answer and is cut', async (context) => {
  const { socketPath, logged } = await serveFake(context);
  assert.match(
    await sendBytes(socketPath, 'hello, secret\r\n\r\n'),
    /^HTTP\/1\.1 400 [\s\S]*"code":"INVALID_ARGUMENT"/,
  );
  assert.match(await sendBytes(socketPath, `GET / HTTP/1.1\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`), /^HTTP\/1\.1 400 /);
  assert.doesNotMatch(JSON.stringify(logged), /secret/);
});

test('a request that does not arrive in time is cut', async (context) => {
  const { socketPath } = await serveFake(context, { requestTimeoutMs: 100 });
  for (const start of [
    'GET /v1/sta',
    'POST /v1/shutdown HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{',
  ]) {
    assert.match(await sendBytes(socketPath, start), /^HTTP\/1\.1 504 [\s\S]*"code":"TIMED_OUT"/);
  }
  assert.equal((await ask(socketPath, { method: 'GET', path: '/healthz' })).status, 200);
});

test('connections beyond the limit are refused, those there are served on', async (context) => {
  const { socketPath } = await serveFake(context);
  const idle = Array.from({ length: limits.controlConnectionsMax }, () => connect({ path: socketPath }));
  context.after(() => {
    for (const socket of idle) socket.destroy();
  });
  await Promise.all(idle.map((socket) => once(socket, 'connect')));
  const [last] = idle;
  assert.ok(last);
  await assert.rejects(ask(socketPath, { method: 'GET', path: '/healthz' }));
  last.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
  const [answer] = (await once(last, 'data')) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1\.1 200 /);
});

test('figures are text in the format of Prometheus', async (context) => {
  const { socketPath } = await serveFake(context);
  const answer = await ask(socketPath, { method: 'GET', path: '/metrics' });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  assert.match(answer.text, /^# HELP dunnage_swaps_total .*\ndunnage_swaps_total 3\n$/);
});

test('an error of ours keeps its code, message and remedy', async (context) => {
  const { socketPath, operations } = await serveFake(context);
  operations.failure = new DunnageError('NO_SPACE', 'the disk is full', { remedy: 'make room' });
  const answer = await ask(socketPath, { method: 'GET', path: '/v1/status' });
  assert.equal(answer.status, 507);
  assert.deepEqual(answer.body, { error: { code: 'NO_SPACE', message: 'the disk is full', remedy: 'make room' } });
});

test('a bug says nothing of the inside, and the log says where it was but not what it quoted', async (context) => {
  const { socketPath, operations, logged } = await serveFake(context);
  for (const failure of [new TypeError('cannot read hunter2'), new DunnageError('INTERNAL', 'x: hunter2'), 'hunter2']) {
    operations.failure = failure;
    const answer = await ask(socketPath, { method: 'GET', path: '/v1/status' });
    assert.equal(answer.status, 500);
    assert.equal((answer.body as { error: { code: string } }).error.code, 'INTERNAL');
    assert.doesNotMatch(answer.text, /hunter2|\.ts|\.js/);
  }
  assert.doesNotMatch(JSON.stringify(logged), /hunter2/);
  const [first] = logged.filter(({ level }) => level === 'error');
  assert.match(JSON.stringify(first?.fields['stack']), /control-app\.test/);
});

test('each request is logged by method, route, status and time, never with a body or a query', async (context) => {
  const { socketPath, logged } = await serveFake(context);
  await ask(socketPath, {
    method: 'POST',
    path: '/v1/apply?token=hunter2',
    headers: YAML_TYPE,
    body: 'password: hunter2',
  });
  const [line] = logged;
  assert.equal(line?.message, 'control request');
  assert.deepEqual({ ...line?.fields, ms: 0 }, { method: 'POST', route: '/v1/apply', status: 200, ms: 0 });
  assert.equal(typeof line?.fields['ms'], 'number');
  assert.doesNotMatch(JSON.stringify(logged), /hunter2/);
});
