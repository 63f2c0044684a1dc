import assert from 'node:assert/strict';
import {
  appendFileSync,
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import {
  eventsOf,
  IN_ATTRIB,
  IN_CREATE,
  IN_DELETE,
  IN_DELETE_SELF,
  IN_MODIFY,
  IN_MOVED_FROM,
  IN_MOVED_TO,
  IN_Q_OVERFLOW,
  Inotify,
  type Watch,
} from '../../src/native/inotify.ts';

const O_PATH = 0o10000000;
let folder: string;
let inotify: Inotify;
const watches: Watch[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dunnage-inotify-'));
  inotify = new Inotify();
});
afterEach(() => {
  for (const watch of watches.splice(0)) watch.close();
  assert.equal(inotify.isIdle, true, 'nothing is left when all watches are closed');
  rmSync(folder, { recursive: true, force: true });
});

interface Seen {
  readonly mask: number;
  readonly name: string | undefined;
}

class Record {
  readonly seen: Seen[] = [];
  #wake: () => void = () => undefined;

  readonly listener = (mask: number, name: string | undefined): void => {
    this.seen.push({ mask, name });
    this.#wake();
  };

  async until(condition: (seen: readonly Seen[]) => boolean): Promise<void> {
    while (!condition(this.seen)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

function open(path: string): number {
  return openSync(path, O_PATH | constants.O_NOFOLLOW);
}

test('a directory tells of its names, a file of its content, its links and its end', async () => {
  const file = join(folder, 'file');
  writeFileSync(file, 'one');
  const [directory, opened] = [open(folder), open(file)];
  const [names, content] = [new Record(), new Record()];
  watches.push(inotify.watchDirectory(directory, names.listener), inotify.watchFile(opened, content.listener));
  for (const descriptor of [directory, opened]) closeSync(descriptor);
  appendFileSync(file, 'two');
  mkdirSync(join(folder, 'made'));
  renameSync(join(folder, 'made'), join(folder, 'moved'));
  truncateSync(file, 1);
  unlinkSync(file);
  await content.until((seen) => seen.some(({ mask }) => (mask & IN_DELETE_SELF) !== 0));
  await names.until((seen) => seen.some(({ mask }) => (mask & IN_DELETE) !== 0));
  assert.deepEqual(
    names.seen.map(({ mask, name }) => [mask & 0xfff, name]),
    [
      [IN_CREATE, 'made'],
      [IN_MOVED_FROM, 'made'],
      [IN_MOVED_TO, 'moved'],
      [IN_DELETE, 'file'],
    ],
  );
  const masks = content.seen.map(({ mask }) => mask & 0xfff).filter((mask) => mask !== 0);
  assert.deepEqual([...new Set(masks)], [IN_MODIFY, IN_ATTRIB, IN_DELETE_SELF]);
});

test('watchers of one object share its watch, and each is told until it stops', async () => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  const opened = open(file);
  const [first, second] = [new Record(), new Record()];
  const [one, two] = [inotify.watchFile(opened, first.listener), inotify.watchFile(opened, second.listener)];
  watches.push(one, two);
  closeSync(opened);
  appendFileSync(file, 'x');
  await Promise.all([first, second].map((record) => record.until((seen) => seen.length > 0)));
  one.close();
  one.close();
  const before = [first.seen.length, second.seen.length] as const;
  appendFileSync(file, 'y');
  await second.until((seen) => seen.length > before[1]);
  assert.equal(first.seen.length, before[0]);
});

test('when the queue of the kernel overflows, every watcher is told to look for itself', async () => {
  const queued = Number(readFileSync('/proc/sys/fs/inotify/max_queued_events', 'utf8'));
  const [busy, quiet] = [join(folder, 'busy'), join(folder, 'quiet')];
  for (const path of [busy, quiet]) writeFileSync(path, '');
  const directory = open(folder);
  const opened = open(quiet);
  const bystander = new Record();
  watches.push(
    inotify.watchDirectory(directory, () => undefined),
    inotify.watchFile(opened, bystander.listener),
  );
  for (const descriptor of [directory, opened]) closeSync(descriptor);
  // Nothing is read until this turn of the event loop ends. Events that alternate are not merged.
  for (let count = 0; count <= queued; count += 2) {
    renameSync(busy, join(folder, 'other'));
    renameSync(join(folder, 'other'), busy);
  }
  await bystander.until((seen) => seen.some(({ mask }) => (mask & IN_Q_OVERFLOW) !== 0));
});

test('events are taken apart with and without names', () => {
  const bytes = Buffer.alloc(16 + 16 + 16);
  bytes.writeInt32LE(7, 0);
  bytes.writeUInt32LE(IN_CREATE, 4);
  bytes.writeUInt32LE(16, 12);
  bytes.write('web.stdout.0', 16);
  bytes.writeInt32LE(-1, 32);
  bytes.writeUInt32LE(IN_Q_OVERFLOW, 36);
  assert.deepEqual(eventsOf(bytes), [
    { watch: 7, mask: IN_CREATE, name: 'web.stdout.0' },
    { watch: -1, mask: IN_Q_OVERFLOW, name: undefined },
  ]);
});
