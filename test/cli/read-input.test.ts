import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { readText } from '../../src/cli/read-input.ts';
import { makeDirectory } from '../server/serve-fake.ts';

test('a file is read whole, up to its limit and not a byte further', async (context) => {
  const file = join(await makeDirectory(context), 'file');
  await writeFile(file, 'grüße');
  assert.equal(await readText(file, 7), 'grüße');
  await assert.rejects(readText(file, 6), { code: 'TOO_LARGE', message: `${file} is larger than 6 B` });
});

test('an endless file is given up at the limit', async () => {
  await assert.rejects(readText('/dev/zero', 1024 * 1024), { code: 'TOO_LARGE' });
});

test('what cannot be read or is no text says which file', async (context) => {
  const directory = await makeDirectory(context);
  const file = join(directory, 'binary');
  await writeFile(file, Uint8Array.of(0x80));
  await assert.rejects(readText(file, 10), { code: 'INVALID_ARGUMENT', message: `${file} is not UTF-8 text` });
  await assert.rejects(readText(join(directory, 'missing'), 10), { code: 'NOT_FOUND' });
  await assert.rejects(readText(directory, 10), { code: 'IS_A_DIRECTORY' });
});
