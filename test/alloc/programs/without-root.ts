/** Builds an alloc as a user who may not mount, in the directory it is given, and prints what came of it as JSON. */
import { existsSync, lstatSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { testAllocDir } from '../../../src/alloc/test-alloc-dir.ts';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';

const [, , parentPath = ''] = process.argv;
const { allocDir, cleanup } = await testAllocDir({ parentPath, id: 'alloc1' });
const mode = (path: string): string => (statSync(path).mode & 0o7777).toString(8);

async function refusal(work: Promise<void>): Promise<unknown> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (!(error instanceof DunnageError)) throw error;
    return { code: error.code, message: error.message, remedy: error.remedy };
  }
}

const refused = await refusal(allocDir.newTaskDir('memory').build({ isolation: 'none' }));
const madeByRefused = existsSync(join(allocDir.allocDir, 'memory'));
const task = allocDir.newTaskDir('web', { secretsOnDisk: true });
await task.build({ isolation: 'image' });
writeFileSync(join(task.secretsDir, 'key'), 'kept');
await task.build({ isolation: 'image' });
const chroot = await refusal(allocDir.newTaskDir('root', { secretsOnDisk: true }).build({ isolation: 'chroot' }));
const madeByChroot = existsSync(join(allocDir.allocDir, 'root'));
const unveiled = allocDir.newTaskDir('unveiled', { secretsOnDisk: true });
await unveiled.build({ isolation: 'unveil' });
writeFileSync(join(unveiled.mountsDir, 'local/file'), 'through');
const read = await refusal(allocDir.readAt('web/secrets/key', 0).then((stream) => void stream.destroy()));
const result = {
  refused,
  madeByRefused: madeByRefused || madeByChroot,
  chroot,
  read,
  modes: ['', 'web', 'web/local', 'web/tmp', 'web/secrets', 'alloc', 'alloc/logs', 'unveiled/secrets'].map(
    (name) => `${name} ${mode(join(allocDir.allocDir, name))}`,
  ),
  hasSharedAlloc: existsSync(task.sharedTaskDir),
  secret: readFileSync(join(task.secretsDir, 'key'), 'utf8'),
  unveiled: ['', 'alloc', 'local', 'secrets'].map((name) => `${name} ${mode(join(unveiled.mountsDir, name))}`),
  unveiledIsLink: lstatSync(join(unveiled.mountsDir, 'local')).isSymbolicLink(),
  local: readFileSync(join(unveiled.localDir, 'file'), 'utf8'),
};
await cleanup();
console.log(JSON.stringify({ ...result, isGone: !existsSync(allocDir.allocDir) && !existsSync(unveiled.mountsDir) }));
