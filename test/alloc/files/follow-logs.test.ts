import assert from 'node:assert/strict';
import { renameSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { LogOptions } from '../../../src/alloc/files/follow-logs.ts';
import { limits } from '../../../src/base/limits.ts';
import { AllocScene, type Events } from './helpers/alloc-scene.ts';

let scene: AllocScene;
beforeEach(() => {
  scene = new AllocScene();
});
afterEach(() => scene.close());

const nameOf = (index: number): string => `alloc/logs/web.stdout.${index}`;

function logs(options: Partial<LogOptions> = {}): Events {
  return scene.events(
    scene.files.logs({ task: 'web', type: 'stdout', follow: true, signal: scene.signal, ...options }),
  );
}

test('without follow all files in their order, and then the end', async () => {
  for (const index of [2, 0, 10, 1]) scene.write(nameOf(index), `${index};`);
  scene.write('alloc/logs/web.stderr.0', 'error');
  scene.write('alloc/logs/other.stdout.0', 'other');
  const events = logs({ follow: false });
  assert.equal(await events.rest(), '0;1;2;10;');
  assert.deepEqual(
    events.seen.map(({ file, offset }) => [file, offset]),
    [0, 1, 2, 10].map((index) => [nameOf(index), `${index};`.length]),
  );
  assert.equal(await logs({ follow: false, offset: 3 }).rest(), ';2;10;');
  assert.equal(await logs({ follow: false, origin: 'end', offset: 5 }).rest(), '2;10;');
  assert.equal(await logs({ follow: false, origin: 'end', offset: 500 }).rest(), '0;1;2;10;');
  assert.equal(await logs({ follow: false, origin: 'end' }).rest(), '');
  assert.equal(await logs({ follow: false, isNewestOnly: true, origin: 'end', offset: 2 }).rest(), '0;');
});

test('no file, or no directory of logs: not found, in the words of the reference', async () => {
  const missing = { code: 'NOT_FOUND', message: 'log entry for task "web" and log type "stdout" not found' };
  await assert.rejects(logs().next(), missing);
  rmSync(scene.path('alloc/logs'), { recursive: true });
  await assert.rejects(logs().next(), missing);
  assert.equal(scene.inotify.isIdle, true);
});

test('[S173] rotations are followed, also over indexes that are missing', async () => {
  scene.write(nameOf(0), 'zero;');
  const events = logs();
  await events.untilText('zero;');
  scene.append(nameOf(0), 'end of zero;');
  scene.write(nameOf(10), 'ten;');
  await events.untilText('ten;');
  scene.append(nameOf(10), 'more;');
  await events.untilText('more;');
  scene.write(nameOf(20), '');
  scene.append(nameOf(20), 'twenty;');
  await events.untilText('twenty;');
  assert.equal(events.text, 'zero;end of zero;ten;more;twenty;');
});

test('[S173] a writer that rotates and removes faster than anybody reads loses nothing that was begun to be read', async () => {
  scene.write(nameOf(0), '0;');
  const events = logs();
  await events.untilText('0;');
  let expected = '0;';
  // Each turn of the event loop the follower is told; what it was told of is open, whatever becomes of its name.
  for (let index = 1; index <= limits.logFilesAhead; index += 1) {
    scene.append(nameOf(index - 1), 'last;');
    scene.write(nameOf(index), `${index};`);
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    rmSync(scene.path(nameOf(index - 1)));
    expected += `last;${index};`;
  }
  await events.untilText(`${limits.logFilesAhead};`);
  assert.equal(events.text, expected);
});

test('[S173] more new files than are held open are all read, if they are still there', async () => {
  scene.write(nameOf(0), '0;');
  const events = logs();
  await events.untilText('0;');
  const count = 3 * limits.logFilesAhead;
  for (let index = 1; index <= count; index += 1) scene.write(nameOf(index), `${index};`);
  await events.untilText(`;${count};`);
  assert.equal(events.text, Array.from({ length: count + 1 }, (_, index) => `${index};`).join(''));
});

test('[S174] a log that is cut is told as truncated and begins anew', async () => {
  scene.write(nameOf(0), 'long content;');
  const events = logs();
  await events.untilText('content;');
  scene.write(nameOf(0), 'x;');
  await events.untilEvent('file truncated');
  await events.untilText('x;');
});

test('the current file may be removed: the follower waits for the next', async () => {
  scene.write(nameOf(0), '0;');
  const events = logs();
  await events.untilText('0;');
  rmSync(scene.path(nameOf(0)));
  scene.write(nameOf(1), '1;');
  await events.untilText('1;');
  assert.equal(events.text, '0;1;');
});

test('the end of alloc/logs is the end of the logs', async () => {
  scene.write(nameOf(0), '0;');
  const events = logs();
  await events.untilText('0;');
  renameSync(scene.path('alloc/logs'), scene.path('alloc/old'));
  await events.untilEvent('file deleted');
  assert.equal(await events.next(), undefined);
});

test('what is not a regular file is no log', async () => {
  scene.link(nameOf(5), '../../web/local/file');
  scene.directory(nameOf(6));
  scene.write(nameOf(3), '3;');
  assert.equal(await logs({ follow: false }).rest(), '3;');
});

test('[S176] following the stable name goes on with every new file', async () => {
  scene.write(nameOf(0), 'old;');
  scene.write(nameOf(1), 'now;');
  const path = 'alloc/logs/web.stdout';
  const events = scene.events(scene.files.follow(path, { follow: true, signal: scene.signal }));
  await events.untilText('now;');
  scene.write(nameOf(2), 'next;');
  await events.untilText('next;');
  assert.equal(events.text, 'now;next;');
});

describe('[S175] a token of a log', () => {
  test('goes on in the file it names and those after it', async () => {
    scene.write(nameOf(4), 'four;');
    scene.write(nameOf(5), 'five;');
    const first = logs({ follow: false });
    await first.rest();
    const [four, five] = first.seen.map(({ token }) => token);
    scene.append(nameOf(5), 'more;');
    scene.write(nameOf(6), 'six;');
    assert.equal(await logs({ follow: false, resume: four ?? '' }).rest(), 'five;more;six;');
    rmSync(scene.path(nameOf(4)));
    assert.equal(await logs({ follow: false, resume: five ?? '' }).rest(), 'more;six;');
  });

  test('of a file that is gone goes on with the next, and says that something is missing', async () => {
    scene.write(nameOf(4), 'four;');
    const first = logs({ follow: false });
    await first.rest();
    rmSync(scene.path(nameOf(4)));
    scene.write(nameOf(5), 'five;');
    scene.write(nameOf(6), 'six;');
    const resumed = logs({ follow: false, resume: first.seen[0]?.token ?? '' });
    assert.equal(await resumed.rest(), 'five;six;');
    assert.deepEqual([resumed.seen[0]?.fileEvent, resumed.seen[0]?.file], ['file deleted', nameOf(4)]);
  });

  test('of another log is refused', async () => {
    scene.write(nameOf(0), 'x');
    scene.write('alloc/logs/web.stderr.0', 'x');
    const other = logs({ follow: false, type: 'stderr' });
    await other.rest();
    await assert.rejects(logs({ resume: other.seen[0]?.token ?? '' }).next(), { code: 'INVALID_ARGUMENT' });
  });
});
