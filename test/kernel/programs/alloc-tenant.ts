/**
 * Works in a directory of its own until SIGTERM, with every call that changes something, and checks each outcome: a call that fails, or
 * that was done twice or not at all, ends it with a line on stderr. Prints how many rounds it made.
 *
 * Arguments: the directory, the number of the tenant.
 */
import assert from 'node:assert/strict';
import { type BigIntStats, constants } from 'node:fs';
import {
  type FileHandle,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rmdir,
  stat,
  symlink,
  truncate,
  unlink,
  utimes,
} from 'node:fs/promises';
import { join } from 'node:path';

const [directory = '', tenant = '0'] = process.argv.slice(2);
const NAMES = 20;
const BYTES = 5_000;
let isOver = false;
process.on('SIGTERM', () => {
  isOver = true;
});

const base = join(directory, `tenant-${tenant}`);
await mkdir(base);
let rounds = 0;
let step = '';
try {
  while (!isOver) {
    await round(join(base, `file-${rounds % NAMES}`));
    rounds += 1;
  }
  process.stdout.write(`${rounds}\n`);
} catch (error) {
  process.stderr.write(`tenant ${tenant}, round ${rounds}, ${step}: ${error instanceof Error ? error.stack : error}\n`);
  process.exitCode = 1;
}

async function round(path: string): Promise<void> {
  step = 'create';
  const file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o640);
  step = 'write';
  await file.write(Buffer.alloc(BYTES, tenant));
  await names(path);
  await replace(path);
  await orphan(path, file);
}

/** Each name there once, each link counted once. */
async function names(path: string): Promise<void> {
  step = 'link and rename';
  await link(path, `${path}.link`);
  await rename(`${path}.link`, `${path}.moved`);
  assert.equal((await stat(path)).nlink, 2);
  step = 'symlink and mkdir';
  await symlink('target', `${path}.symlink`);
  await mkdir(`${path}.directory`);
  assert.equal(await readlink(`${path}.symlink`), 'target');
  step = 'list';
  const listed = (await readdir(base)).filter((name) => name.startsWith(`file-${rounds % NAMES}.`));
  assert.deepEqual(
    listed.sort(),
    ['directory', 'moved', 'symlink'].map((end) => `file-${rounds % NAMES}.${end}`),
  );
  step = 'unlink and rmdir';
  await unlink(`${path}.moved`);
  await unlink(`${path}.symlink`);
  await rmdir(`${path}.directory`);
  assert.equal((await stat(path)).nlink, 1);
  await assert.rejects(lstat(`${path}.symlink`), { code: 'ENOENT' });
}

/** Who has the old file open reads on in it. */
async function replace(path: string): Promise<void> {
  step = 'rename over an open file';
  const old = await open(`${path}.old`, 'wx+');
  await old.write('old');
  await rename(path, `${path}.old`);
  assert.equal(await content(old), 'old');
  await old.close();
  await rename(`${path}.old`, path);
  step = 'attributes';
  await truncate(path, BYTES - 1);
  await utimes(path, 1, 2.5);
  const { size, mtimeMs } = await stat(path);
  assert.deepEqual([size, mtimeMs], [BYTES - 1, 2500]);
}

/** A removed file stays whole while it is open. */
async function orphan(path: string, file: FileHandle): Promise<void> {
  step = 'unlink an open file';
  await unlink(path);
  await file.write('more', BYTES - 1);
  const { nlink, size }: BigIntStats = await file.stat({ bigint: true });
  assert.deepEqual([nlink, size], [0n, BigInt(BYTES + 3)]);
  assert.equal(await content(file), `${tenant.repeat(BYTES - 1)}more`);
  await file.close();
  step = 'create by whole file';
  const again = await open(path, 'wx');
  await again.writeFile('again');
  await again.close();
  assert.equal(await readFile(path, 'utf8'), 'again');
  await unlink(path);
}

async function content(file: FileHandle): Promise<string> {
  const bytes = Buffer.alloc(BYTES * 2);
  const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
  return bytes.toString('latin1', 0, bytesRead);
}
