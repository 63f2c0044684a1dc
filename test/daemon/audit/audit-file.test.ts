import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { AuditFile } from '../../../src/daemon/audit/audit-file.ts';
import { makeStateDirectory } from '../../store/state-directory.ts';

function makeFile(
  t: TestContext,
  sizeBytesMax = 100,
  olderFiles = 2,
): { file: AuditFile; path: string; directory: string } {
  const directory = makeStateDirectory(t);
  const path = join(directory, 'audit.log');
  return { file: new AuditFile({ path, sizeBytesMax, olderFiles }), path, directory };
}

test('AuditFile is made with the first line, for its owner only, and goes on where it was', async (t) => {
  const { file, path } = makeFile(t);
  assert.ok(!existsSync(path));
  await file.append('one\n');
  await file.append('two\n');
  await file.close();
  chmodSync(path, 0o644);
  const again = new AuditFile({ path, sizeBytesMax: 100, olderFiles: 2 });
  await again.append('three\n');
  await again.close();
  assert.equal(readFileSync(path, 'utf8'), 'one\ntwo\nthree\n');
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('AuditFile ends a line that a dying daemon cut', async (t) => {
  const { file, path } = makeFile(t);
  appendFileSync(path, 'whole\ncu');
  await file.append('next\n');
  await file.close();
  assert.equal(readFileSync(path, 'utf8'), 'whole\ncu\nnext\n');
});

test('AuditFile puts a full file aside, keeps so many, and loses no line before that', async (t) => {
  const { file, directory } = makeFile(t, 10, 2);
  for (const line of ['aaaaaa\n', 'bbbbbbbb\n', 'ccc\n', 'dddddd\n', 'eeeeee\n']) await file.append(line);
  await file.close();
  const files = readdirSync(directory).sort();
  assert.deepEqual(
    files.map((name) => [name, readFileSync(join(directory, name), 'utf8')]),
    [
      ['audit.log', 'eeeeee\n'],
      ['audit.log.1', 'dddddd\n'],
      ['audit.log.2', 'ccc\n'],
    ],
  );
});

test('AuditFile says what it cannot write, and can be written again when that has passed', async (t) => {
  const { file, path, directory } = makeFile(t);
  symlinkSync('elsewhere', path);
  await assert.rejects(file.append('one\n'), { message: /cannot write the audit log/ });
  assert.ok(!existsSync(join(directory, 'elsewhere')), 'a link is not followed');
  unlinkSync(path);
  await file.append('one\n');
  await file.flush();
  await file.close();
  assert.equal(readFileSync(path, 'utf8'), 'one\n');
});
