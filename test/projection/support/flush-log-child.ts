/**
 * Writes the old and then the new payload of the crash tests to a directory, and prints what the second write flushes,
 * renames and removes, in order: `flush PATH`, `rename NAME`, `remove NAME`, with paths relative to the directory.
 */
import fs, { readlinkSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { basename, relative } from 'node:path';
import { CRASH_NEW, CRASH_OLD } from './crash-payloads.ts';

const [directory = ''] = process.argv.slice(2);
let log: string[] = [];

function logFlush(descriptor: number): void {
  log.push(`flush ${relative(directory, readlinkSync(`/proc/self/fd/${descriptor}`)) || '.'}`);
}

const { fsync } = fs;
// Named imports of modules loaded after the next statement see these.
fs.fsync = Object.assign((descriptor: number, callback: fs.NoParamCallback) => {
  fsync(descriptor, (error) => {
    if (error === null) logFlush(descriptor);
    callback(error);
  });
}, fsync);
const { rename, rmdir, open } = fs.promises;
fs.promises.rename = async (from, to) => {
  await rename(from, to);
  log.push(`rename ${basename(String(to))}`);
};
fs.promises.rmdir = async (path) => {
  await rmdir(path);
  log.push(`remove ${basename(String(path))}`);
};
syncBuiltinESMExports();

const handle = await open(directory);
const prototype = Object.getPrototypeOf(handle) as fs.promises.FileHandle;
await handle.close();
const { sync } = prototype;
prototype.sync = async function (this: fs.promises.FileHandle) {
  await sync.call(this);
  logFlush(this.fd);
};

const { AtomicWriter } = await import('../../../src/projection/atomic-writer.ts');
const writer = new AtomicWriter(directory);
await writer.write(CRASH_OLD);
log = [];
await writer.write(CRASH_NEW);
process.stdout.write(log.join('\n'));
