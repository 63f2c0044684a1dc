/**
 * Rotates the password of a Secret while a program uses it, with the library.
 *
 *   $ node dist/examples/secret-rotation.js 3
 *   generation 2: 3 files, seen after the rotation
 *   generation 3: 3 files, seen after the rotation
 *   generation 4: 3 files, seen after the rotation
 *   0 reads failed, 0 reads mixed two passwords
 *
 * The reader takes the name behind `..data` once and reads every file below it: what it gets belongs together, however many
 * rotations happen meanwhile. The socket is $DUNNAGE_SOCKET or /run/dunnage/dunnage.sock; the Secret is deleted at the end.
 */
import { randomBytes } from 'node:crypto';
import { readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ControlClient } from '../src/index.ts';

const [rotations = '3'] = process.argv.slice(2);
const NAME = 'rotating-db';
const client = new ControlClient(process.env['DUNNAGE_SOCKET'] ?? '/run/dunnage/dunnage.sock');
const { mountPoint } = await client.status();
const directory = join(mountPoint, 'projections', `secret.${NAME}`);

/** Puts a new password into the Secret. When it returns, every new open gives it. */
async function rotate(): Promise<{ readonly password: string; readonly generation: number }> {
  const password = randomBytes(18).toString('base64url');
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: NAME },
    stringData: { username: 'orders', password, url: `postgres://orders:${password}@db.internal:5432/orders` },
  };
  // JSON is YAML.
  const [applied] = await client.apply(JSON.stringify(secret));
  return { password, generation: applied?.generation ?? 0 };
}

/** All files of one generation. */
async function read(): Promise<{ readonly password: string; readonly url: string; readonly files: number }> {
  const root = join(directory, await readlink(join(directory, '..data')));
  const [username, password, url] = await Promise.all(
    ['username', 'password', 'url'].map((key) => readFile(join(root, key), 'utf8')),
  );
  return { password: password ?? '', url: url ?? '', files: [username, password, url].length };
}

let isOver = false;
let failed = 0;
let mixed = 0;

async function readAllTheTime(): Promise<void> {
  while (!isOver) {
    try {
      const { password, url } = await read();
      if (!url.includes(`:${password}@`)) mixed += 1;
    } catch {
      failed += 1;
    }
  }
}

await rotate();
const reader = readAllTheTime();
try {
  for (let rotation = 0; rotation < Number(rotations); rotation += 1) {
    const { password, generation } = await rotate();
    const seen = await read();
    const told = seen.password === password ? 'seen after the rotation' : 'NOT seen after the rotation';
    console.log(`generation ${generation}: ${seen.files} files, ${told}`);
  }
} finally {
  isOver = true;
  await reader;
  await client.deleteProjection('Secret', 'default', NAME);
}
console.log(`${failed} reads failed, ${mixed} reads mixed two passwords`);
if (failed + mixed > 0) process.exitCode = 1;
