/**
 * The directories of an alloc with two tasks, by the library and without a daemon. Needs root: secrets are memory that is mounted.
 *
 *   # node dist/examples/task-directories.js /tmp/allocs
 *   web: -rw-r--r-- index.html
 *   db sees what web has shared: hello
 *   the host's certificates in web: 1 directory
 *   PERMISSION_DENIED: Reading secret file prohibited: web/secrets/token
 *   moved: hello
 *   gone
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AllocDir, DunnageError, PlainDirectory } from '../src/index.ts';

const [path = '/tmp/allocs'] = process.argv.slice(2);
// The second must lie on a tmpfs in real life: `secrets` are mounted beneath it.
const directory = await PlainDirectory.open({ path, runtimePath: join(path, '../allocs-runtime') });

const alloc = new AllocDir({ directory, id: 'example-1' });
await alloc.build();
const web = alloc.newTaskDir('web', { secretsBytes: 64 * 1024 });
const db = alloc.newTaskDir('db');
await web.build({ isolation: 'chroot', chroot: { '/etc/ssl': '/etc/ssl' }, user: { uid: 1000, gid: 1000 } });
await db.build({ isolation: 'chroot' });

await writeFile(join(web.localDir, 'index.html'), '<h1>web</h1>');
for (const { fileMode, name } of await alloc.list('web/local')) console.log(`web: ${fileMode} ${name}`);

await mkdir(join(alloc.sharedDir, 'data/greeting'));
await writeFile(join(web.sharedTaskDir, 'data/greeting/text'), 'hello');
console.log(`db sees what web has shared: ${await readFile(join(db.sharedTaskDir, 'data/greeting/text'), 'utf8')}`);

const shown = (await readdir(join(web.dir, 'etc'))).length;
console.log(`the host's certificates in web: ${shown} directory`);

await writeFile(join(web.secretsDir, 'token'), 'secret');
try {
  await alloc.readAt('web/secrets/token', 0);
} catch (error) {
  if (!(error instanceof DunnageError)) throw error;
  console.log(`${error.code}: ${error.message}`);
}

const next = new AllocDir({ directory, id: 'example-2' });
await next.build();
await next.move(alloc, ['web', 'db']);
console.log(`moved: ${await readFile(join(next.sharedDir, 'data/greeting/text'), 'utf8')}`);

await alloc.destroy();
await next.destroy();
await directory.close();
// `.staging` stays: it is the library's own.
console.log((await readdir(path)).every((name) => name.startsWith('.')) ? 'gone' : 'something is left');
