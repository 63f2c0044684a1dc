/** Tasks write through the mount, the daemon's side follows in the directory that it shows: with passthrough, and without. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { AllocFiles } from '../../src/alloc/files/alloc-files.ts';
import { Inotify } from '../../src/native/inotify.ts';
import { Events } from '../alloc/files/helpers/alloc-scene.ts';
import { LoopbackMount } from './helpers/loopback.ts';

const WRITER = fileURLToPath(new URL('./programs/rotating-writer.js', import.meta.url));
const LINES = 20_000;

for (const [how, without] of [
  ['with all that the kernel has', []],
  ['without passthrough', ['PASSTHROUGH']],
] as const) {
  describe(how, () => {
    let mount: LoopbackMount;
    let files: AllocFiles;
    const inotify = new Inotify();
    const ends = new AbortController();
    const followers: AsyncGenerator<unknown>[] = [];

    before(async () => {
      mount = await LoopbackMount.make({ without });
      for (const path of ['a1', 'a1/alloc', 'a1/alloc/logs', 'a1/web', 'a1/web/local']) {
        mkdirSync(mount.path(path));
        chmodSync(mount.path(path), 0o777);
      }
      files = new AllocFiles({ root: mount.backing('a1'), tasks: () => ['web', 'db'], inotify });
    });
    after(async () => {
      ends.abort();
      for (const follower of followers) await follower.return(undefined);
      await mount.clean();
      assert.equal(inotify.isIdle, true);
    });

    function follow(path: string): Events {
      const events = files.follow(path, { follow: true, signal: ends.signal });
      followers.push(events);
      return new Events(events);
    }

    for (const [task, perFile, kept] of [
      ['web', 100, 0],
      ['db', 5_000, 3],
    ] as const) {
      test(`[S173] ${LINES} lines over ${LINES / perFile} files, ${kept || 'all'} of them kept, each once and in order`, async () => {
        const logs = files.logs({ task, type: 'stdout', follow: true, signal: ends.signal });
        followers.push(logs);
        writeSyncOnce(mount.path(`a1/alloc/logs/${task}.stdout.0`), '');
        const writer = spawn(process.execPath, [
          WRITER,
          ...[mount.path('a1/alloc/logs'), task, String(LINES), String(perFile), String(kept)],
        ]);
        const written = once(writer, 'close');
        let text = '';
        let next = 0;
        for await (const { data, fileEvent } of logs) {
          assert.equal(fileEvent, undefined);
          text += data?.toString() ?? '';
          const whole = text.slice(0, text.lastIndexOf('\n') + 1);
          text = text.slice(whole.length);
          for (const line of whole.split('\n').slice(0, -1)) {
            if (line !== 'end') assert.equal(line, `line ${next}`);
            next += 1;
          }
          if (whole.endsWith('end\n')) break;
        }
        assert.equal(next, LINES + 1);
        await written;
      });
    }

    test('[S174] a file that is cut through the mount begins anew', async () => {
      const path = mount.path('a1/web/local/cut');
      appendFileSync(path, 'first content;');
      const events = follow('web/local/cut');
      await events.untilText('first content;');
      truncateSync(path, 0);
      await events.untilEvent('file truncated');
      execFileSync('sh', ['-c', `printf 'second;' > "${path}"`]);
      await events.untilText('second;');
    });

    test('[S174] a file that is removed while its writer has it open is read to its end', async () => {
      const path = mount.path('a1/web/local/open');
      const writer = openSync(path, 'a');
      writeSync(writer, 'one;');
      const events = follow('web/local/open');
      await events.untilText('one;');
      writeSync(writer, 'two;');
      rmSync(path);
      await events.untilEvent('file deleted');
      assert.equal(events.text, 'one;two;');
      closeSync(writer);
    });

    test('[S174] a file that is replaced or whose directory moves is read to its end', async () => {
      mkdirSync(mount.path('a1/web/local/below'));
      const path = mount.path('a1/web/local/below/file');
      appendFileSync(path, 'one;');
      const events = follow('web/local/below/file');
      await events.untilText('one;');
      appendFileSync(path, 'two;');
      renameSync(mount.path('a1/web/local/below'), mount.path('a1/web/local/moved'));
      await events.untilEvent('file deleted');
      assert.equal(events.text, 'one;two;');
    });

    test('what appears through the mount is waited for', async () => {
      const waiting = files.blockUntilExists('web/local/new/file', ends.signal);
      mkdirSync(mount.path('a1/web/local/new'));
      appendFileSync(mount.path('a1/web/local/new/file'), 'x');
      await waiting;
    });
  });
}

function writeSyncOnce(path: string, text: string): void {
  const file = openSync(path, 'a');
  writeSync(file, text);
  closeSync(file);
}
