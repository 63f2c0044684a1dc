import assert from 'node:assert/strict';
import { renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { limits } from '../../../src/base/limits.ts';
import { AllocScene, type Events } from './helpers/alloc-scene.ts';

let scene: AllocScene;
beforeEach(() => {
  scene = new AllocScene();
});
afterEach(() => scene.close());

const FILE = 'web/local/file';

function follow(
  options: { offset?: number; origin?: 'start' | 'end'; follow?: boolean; resume?: string } = {},
): Events {
  return scene.events(scene.files.follow(FILE, { follow: true, signal: scene.signal, ...options }));
}

test('a file that is not there: no such file', async () => {
  await assert.rejects(follow().next(), { code: 'NOT_FOUND', message: `no such file or directory: ${FILE}` });
  assert.equal(scene.inotify.isIdle, true);
});

test('without follow everything there is, from the offset or so far from the end, and then the end', async () => {
  scene.write(FILE, '0123456789');
  assert.equal(await follow({ follow: false }).rest(), '0123456789');
  assert.equal(await follow({ follow: false, offset: 7 }).rest(), '789');
  const fromEnd = follow({ follow: false, origin: 'end', offset: 4 });
  assert.equal(await fromEnd.rest(), '6789');
  assert.deepEqual([fromEnd.seen.length, fromEnd.seen[0]?.offset, fromEnd.seen[0]?.file], [1, 10, FILE]);
  assert.equal(await follow({ follow: false, origin: 'end', offset: 40 }).rest(), '0123456789');
  assert.equal(await follow({ follow: false, offset: 40 }).rest(), '');
});

test('[S173] what is appended comes, each byte once', async () => {
  scene.write(FILE, 'one');
  const events = follow();
  await events.untilText('one');
  scene.append(FILE, 'two');
  await events.untilText('two');
  for (let count = 0; count < 200; count += 1) {
    scene.append(FILE, `${count},`);
    if (count % 7 === 0) await events.untilText(`${count},`);
  }
  await events.untilText('199,');
  assert.equal(events.text, `onetwo${Array.from({ length: 200 }, (_, count) => `${count},`).join('')}`);
});

test('large content comes in pieces that fit into a frame', async () => {
  const content = Buffer.alloc(3 * limits.fileFrameBytes + 5, 'abcdefg');
  scene.write(FILE, content);
  const events = follow({ follow: false });
  assert.equal(await events.rest(), content.toString());
  assert.ok(events.seen.every(({ data }) => (data?.byteLength ?? 0) <= limits.fileFrameBytes));
});

describe('[S174] a file that is cut', () => {
  test('is told as truncated, and begins anew', async () => {
    scene.write(FILE, 'long content');
    const events = follow();
    await events.untilText('content');
    truncateSync(scene.path(FILE), 0);
    const event = await events.untilEvent('file truncated');
    assert.equal(event.offset, 0);
    scene.append(FILE, 'new');
    await events.untilText('contentnew');
    assert.equal(events.seen.at(-1)?.offset, 3);
  });

  test('and has grown beyond what was read before anybody looked, too', async () => {
    scene.write(FILE, 'the first content\n');
    const events = follow();
    await events.untilText('content\n');
    scene.write(FILE, 'the second content, which is longer\n');
    await events.untilEvent('file truncated');
    await events.untilText('longer\n');
    assert.equal(events.text, 'the first content\nthe second content, which is longer\n');
  });
});

describe('[S174] a file that goes', () => {
  for (const [how, act] of [
    ['is removed', () => rmSync(scene.path(FILE))],
    ['is renamed', () => renameSync(scene.path(FILE), scene.path('web/local/moved'))],
    [
      'is replaced',
      () => {
        scene.write('web/local/other', 'other');
        renameSync(scene.path('web/local/other'), scene.path(FILE));
      },
    ],
    ['has its directory moved', () => renameSync(scene.path('web/local'), scene.path('web/else'))],
    ['has its task removed', () => rmSync(scene.path('web'), { recursive: true })],
  ] as const) {
    test(`because it ${how} is read to its end first, then told as deleted`, async () => {
      scene.write(FILE, 'one');
      const events = follow();
      await events.untilText('one');
      scene.append(FILE, 'last words');
      act();
      const event = await events.untilEvent('file deleted');
      assert.equal(events.text, 'onelast words');
      assert.equal(event.offset, 13);
      assert.equal(await events.next(), undefined);
      assert.equal(scene.inotify.isIdle, true);
    });
  }

  test('is not confused with another that goes beside it', async () => {
    scene.write(FILE, 'one');
    scene.write('web/local/neighbour', '');
    const events = follow();
    await events.untilText('one');
    rmSync(scene.path('web/local/neighbour'));
    scene.append(FILE, 'two');
    await events.untilText('two');
    assert.ok(events.seen.every(({ fileEvent }) => fileEvent === undefined));
  });
});

test('a cancelled follower ends, and leaves no watch', async () => {
  scene.write(FILE, 'one');
  const events = follow();
  await events.untilText('one');
  const end = events.next();
  const closed = scene.close();
  assert.equal(await end, undefined);
  await closed;
  assert.equal(scene.inotify.isIdle, true);
});

describe('[S175] a token', () => {
  test('goes on after its event, whatever happened meanwhile', async () => {
    scene.write(FILE, 'one');
    const first = follow();
    await first.untilText('one');
    scene.append(FILE, 'two');
    const resumed = follow({ resume: first.seen[0]?.token ?? '' });
    await resumed.untilText('two');
    assert.equal(resumed.text, 'two');
  });

  test('of a file that was replaced, or cut and written again, begins anew and says so', async () => {
    scene.write(FILE, 'the first content');
    const first = follow({ follow: false });
    await first.rest();
    const resume = first.seen[0]?.token ?? '';
    scene.write(FILE, 'quite another content');
    const cut = follow({ follow: false, resume });
    assert.equal(await cut.rest(), 'quite another content');
    assert.equal(cut.seen[0]?.fileEvent, 'file truncated');
    rmSync(scene.path(FILE));
    writeFileSync(scene.path('web/local/other'), '');
    scene.write(FILE, 'the first content and more');
    const replaced = follow({ follow: false, resume });
    assert.equal(await replaced.rest(), 'the first content and more');
    assert.equal(replaced.seen[0]?.fileEvent, 'file truncated');
  });

  test('that cannot be read is refused', async () => {
    scene.write(FILE, 'one');
    for (const resume of [
      '',
      'x',
      Buffer.from('[1,2]').toString('base64url'),
      Buffer.from('{}').toString('base64url'),
    ]) {
      await assert.rejects(follow({ resume }).next(), { code: 'INVALID_ARGUMENT' });
    }
  });
});

test('a link that turns to another file ends the one it led to', async () => {
  scene.write('web/local/one', 'one');
  scene.write('web/local/two', 'two');
  scene.link(FILE, 'one');
  const events = follow();
  await events.untilText('one');
  scene.link('web/local/next', 'two');
  renameSync(scene.path('web/local/next'), scene.path(FILE));
  await events.untilEvent('file deleted');
});
