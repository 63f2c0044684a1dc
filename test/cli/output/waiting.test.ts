import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { whileWaiting } from '../../../src/cli/output/waiting.ts';

const AT_ONCE = { quietMs: 0, redrawMs: 1 };

test('a terminal sees what is under way, and nothing of it at the end, also after a failure', async () => {
  const stream = Object.assign(new PassThrough(), { isTTY: true });
  const work = async (): Promise<void> => {
    await once(stream, 'readable');
    throw new Error('gone');
  };
  await assert.rejects(whileWaiting('pool/fast: being made', stream, work, AT_ONCE), /gone/);
  const drawn = String(stream.read()).split('\r\u001b[K');
  assert.deepEqual([drawn[0], drawn[1], drawn.at(-1)], ['', 'pool/fast: being made ... 0s', '']);
});

test('nothing is drawn where nobody looks, and nothing of what takes a moment', async () => {
  const piped = new PassThrough();
  assert.equal(await whileWaiting('x', piped, async () => 7, AT_ONCE), 7);
  const terminal = Object.assign(new PassThrough(), { isTTY: true });
  await whileWaiting('x', terminal, async () => undefined);
  assert.deepEqual([piped.read(), terminal.read()], [null, null]);
});
