/**
 * A program that reloads its configuration when the projected directory has new content.
 *
 *   $ dunnage apply -f examples/sources.yaml
 *   $ node dist/examples/watch-with-chokidar.js /run/dunnage/mnt/projections/site
 *   ..2026_11_21_09_14_03.4817205: 4 files, motd "fair winds"
 *   ..2026_11_21_09_15_40.1730964: 4 files, motd "a storm is coming"
 *
 * The watch is on the directory and takes links for what they are: a swap is one change of the link `..data`. What is read
 * then comes from one generation: the name behind `..data` is resolved once, and everything is read below it. Give the
 * program a number as second argument to end after that many reloads.
 */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { watch } from 'chokidar';

const [directory, reloads = '0'] = process.argv.slice(2);
if (directory === undefined) {
  console.error('usage: watch-with-chokidar.js DIRECTORY [RELOADS]');
  process.exit(2);
}

/** Reads every file of one generation. */
async function load(): Promise<{ readonly generation: string; readonly files: ReadonlyMap<string, Buffer> }> {
  const generation = await readlink(join(directory as string, '..data'));
  const root = join(directory as string, generation);
  const files = new Map<string, Buffer>();
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) files.set(path.slice(root.length + 1), await readFile(path));
  }
  return { generation, files };
}

let left = Number(reloads);
let current: string | undefined;
/** One reload after another: a swap that comes during a reload is followed by one more. */
let loading = Promise.resolve();

async function reload(): Promise<void> {
  const { generation, files } = await load();
  // One swap may be told more than once.
  if (generation === current) return;
  const isFirst = current === undefined;
  current = generation;
  const motd = files.get('motd');
  const text = motd === undefined ? '' : `, motd ${JSON.stringify(String(motd).trim())}`;
  console.log(`${generation}: ${files.size} files${text}`);
  if (isFirst) return;
  left -= 1;
  if (left === 0) await watcher.close();
}

const watcher = watch(directory, { ignoreInitial: true, followSymlinks: false, depth: 0 });
watcher.on('ready', () => {
  loading = loading.then(reload);
});
watcher.on('all', (_, path) => {
  if (basename(path) === '..data') loading = loading.then(reload);
});
