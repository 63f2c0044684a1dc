import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from '../../src/daemon/logging.ts';

type Line = Record<string, unknown>;

/** A log at that level, and the lines it wrote. */
async function makeLog(level = 'debug'): Promise<{ log: Awaited<ReturnType<typeof createLog>>; text: () => string }> {
  const written: string[] = [];
  const log = await createLog(level, 'json', { write: (line: string) => void written.push(line) });
  return { log, text: () => written.join('') };
}

const parse = (text: string): Line[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);

test('createLog: one JSON object per line, with level, pid, message and fields', async () => {
  const { log, text } = await makeLog();
  log.debug({ generation: 7 }, 'staged');
  log.info({}, 'live');
  log.warn({ path: 'a\nb' }, 'odd');
  log.error({ error: 'EIO' }, 'failed');
  const lines = parse(text());
  assert.deepEqual(
    lines.map(({ level, msg }) => [level, msg]),
    [
      [20, 'staged'],
      [30, 'live'],
      [40, 'odd'],
      [50, 'failed'],
    ],
  );
  assert.ok(lines.every((line) => line['pid'] === process.pid && typeof line['time'] === 'number'));
  assert.deepEqual([lines[0]?.['generation'], lines[2]?.['path'], lines[3]?.['error']], [7, 'a\nb', 'EIO']);
});

test('createLog: what is below the level is not written', async () => {
  const { log, text } = await makeLog('warn');
  log.debug({}, 'quiet');
  log.info({}, 'quiet');
  log.warn({}, 'loud');
  assert.deepEqual(
    parse(text()).map(({ msg }) => msg),
    ['loud'],
  );
});

test('createLog: fields that could carry content are cut out, at the top and two levels down', async () => {
  const { log, text } = await makeLog();
  const keys = ['data', 'stringData', 'binaryData', 'content', 'payload', 'body', 'files', 'manifest', 'authorization'];
  for (const key of keys) {
    log.info({ [key]: 'hunter2' }, 'at the top');
    log.info({ object: { [key]: { password: 'hunter2' } } }, 'in an object');
    log.info({ request: { object: { [key]: ['hunter2'] } } }, 'two levels down');
  }
  assert.ok(!text().includes('hunter2'), text());
  assert.equal(text().split('[redacted]').length - 1, 3 * keys.length);
});

test('createLog: what stands beside a secret is kept', async () => {
  const { log, text } = await makeLog();
  log.info({ object: { name: 'db', sizeBytes: 7, data: 'hunter2' } }, 'applied');
  assert.deepEqual(parse(text())[0]?.['object'], { name: 'db', sizeBytes: 7, data: '[redacted]' });
});

test('createLog: an unknown level is refused', async () => {
  await assert.rejects(createLog('loud', 'json', { write: () => undefined }), /loud/);
});

test('createLog: logging does not change what it is given', async () => {
  const { log } = await makeLog();
  const fields = { object: { data: 'hunter2' } };
  log.info(fields, 'applied');
  assert.equal(fields.object.data, 'hunter2');
});
