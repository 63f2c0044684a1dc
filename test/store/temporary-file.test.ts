import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { TemporaryFile } from '../../src/store/temporary-file.ts';
import { makeStateDirectory } from './state-directory.ts';

test('a temporary file is appended to, read back and moved to its place', async (t) => {
  const directory = makeStateDirectory(t);
  const file = await TemporaryFile.create(join(directory, 'tmp'));
  await file.append(Buffer.from('hello '));
  await file.append(Buffer.from('world'));
  assert.equal(Buffer.from(await file.read(4, 4)).toString(), 'o wo');
  await file.moveTo(join(directory, 'place'));
  assert.equal(readFileSync(join(directory, 'place'), 'utf8'), 'hello world');
  assert.equal(statSync(join(directory, 'place')).mode & 0o777, 0o600);
  await file.discard();
  assert.ok(existsSync(join(directory, 'place')), 'what was moved is not discarded');
});

test('a temporary file that is discarded is gone, also a second time', async (t) => {
  const directory = makeStateDirectory(t);
  const file = await TemporaryFile.create(join(directory, 'tmp'));
  await file.discard();
  await file.discard();
  assert.ok(!existsSync(join(directory, 'tmp')));
});

test('what fails says why in terms of content', async (t) => {
  const directory = makeStateDirectory(t);
  await assert.rejects(TemporaryFile.create(join(directory, 'none/tmp')), {
    code: 'NOT_FOUND',
    message: /cannot store/,
  });
  const file = await TemporaryFile.create(join(directory, 'tmp'));
  await assert.rejects(file.read(0, 1), { code: 'IO' });
  await file.discard();
  await assert.rejects(file.append(Buffer.from('x')), { message: /cannot store content/ });
});
