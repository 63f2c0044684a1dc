/** Projections with sources through a real daemon and mount: host files change, readers and watchers of the mount see it. */
import assert from 'node:assert/strict';
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { appendFile, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { AtomicWriter } from '../../src/projection/atomic-writer.ts';
import type { ProjectionDetail } from '../../src/server/operations.ts';
import type { DaemonProcess } from '../tools/daemon-process.ts';
import { until } from '../tools/until.ts';
import { InotifyWatch, type SeenEvent } from './helpers/inotify.ts';
import { killDaemon, projectionRoot, publishedDirectory, startDaemon, TEST_PARENT } from './helpers/projected.ts';

let daemon: DaemonProcess;
let host: string;
let count = 0;
before(async () => {
  daemon = await startDaemon();
});
beforeEach(async () => {
  host = await mkdtemp(join(TEST_PARENT, 'sources-'));
  count += 1;
});
afterEach(() => rm(host, { recursive: true, force: true }));
after(() => daemon.stop());

const swapped = ({ events, name }: SeenEvent): boolean => events === 'MOVED_TO' && name === '..data';

/** Applies a Projection with a name of its own; resolves to its name. */
async function project(spec: object): Promise<string> {
  const name = `sourced-${count}`;
  await daemon.client.apply(JSON.stringify({ apiVersion: 'dunnage/v1', kind: 'Projection', metadata: { name }, spec }));
  return name;
}

const applyObject = (kind: string, name: string, fields: object): Promise<unknown> =>
  daemon.client.apply(JSON.stringify({ apiVersion: 'v1', kind, metadata: { name }, ...fields }));
const at = (name: string, ...path: string[]): string => join(projectionRoot(daemon, name), ...path);
const detail = (name: string): Promise<ProjectionDetail> => daemon.client.getProjection('Projection', 'default', name);

const untilHolds = (path: string, text: string): Promise<boolean> =>
  until(`${path} to hold ${text}`, async () => (await readFile(path, 'utf8').catch(() => undefined)) === text);

describe('sources through a mount', { timeout: 120_000 }, () => {
  it('[S60] a change of a host file is a swap that a watcher of the projection sees', async () => {
    await writeFile(join(host, 'app.conf'), 'one', { mode: 0o640 });
    const name = await project({ sources: [{ file: { path: join(host, 'app.conf'), uid: 1000 } }] });
    const { mode, uid, gid } = await stat(at(name, 'app.conf'));
    assert.deepEqual([mode & 0o777, uid, gid], [0o640, 1000, 0]);
    const watch = await InotifyWatch.start(at(name));
    try {
      await writeFile(join(host, 'app.conf'), 'two');
      await watch.until(swapped);
      assert.equal(await readFile(at(name, 'app.conf'), 'utf8'), 'two');
    } finally {
      await watch.stop();
    }
    const figures = await daemon.client.metrics();
    assert.match(figures, /^dunnage_source_change_to_swap_seconds_count [1-9]/m);
    assert.match(
      figures,
      new RegExp(`^dunnage_source_seen_timestamp_seconds\\{directory="${name}",source="file .*"\\} \\d`, 'm'),
    );
  });

  it('[S60] a change of a ConfigMap reaches projections that use it, also through another one', async () => {
    await applyObject('ConfigMap', 'flags', { data: { a: '1' } });
    const first = await project({ sources: [{ configMap: { name: 'flags' } }] });
    count += 1;
    const second = await project({ sources: [{ projection: { name: first, prefix: 'from' } }] });
    const watch = await InotifyWatch.start(at(second));
    try {
      await applyObject('ConfigMap', 'flags', { data: { a: '2' } });
      await watch.until(swapped);
      assert.equal(await readFile(at(second, 'from/a'), 'utf8'), '2');
    } finally {
      await watch.stop();
    }
  });

  it('[S61] a burst of changes is one swap', async () => {
    const name = await project({ sources: [{ directory: { path: host } }] });
    await mkdir(join(host, 'a/b'), { recursive: true });
    // Without a turn of the event loop: on a busy machine a hundred turns would be no burst.
    for (let i = 0; i < 100; i += 1) writeFileSync(join(host, 'a/b', `f${i}`), String(i));
    await untilHolds(at(name, 'a/b/f99'), '99');
    const { generation, files } = await detail(name);
    assert.deepEqual([generation, files], [2, 100]);
  });

  it('[S61] a file is not published half-written, however slowly it is written', async () => {
    const path = join(host, 'slow');
    await writeFile(path, 'before');
    const name = await project({ sources: [{ directory: { path: host } }] });
    const writer = openSync(path, 'w');
    for (let i = 0; i < 10; i += 1) {
      writeSync(writer, 'part ');
      await new Promise((resolve) => setTimeout(resolve, 30));
      assert.equal(await readFile(at(name, 'slow'), 'utf8'), 'before');
    }
    closeSync(writer);
    await untilHolds(at(name, 'slow'), 'part '.repeat(10));
    assert.equal((await detail(name)).generation, 2);
  });

  it('[S61] changes without end get through all the same', async () => {
    const name = await project({ sources: [{ directory: { path: host } }] });
    let isOver = false;
    const changing = (async () => {
      for (let i = 0; !isOver; i += 1) {
        await writeFile(join(host, 'a'), String(i));
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })();
    try {
      await until('the third generation', async () => (await detail(name)).generation > 2);
    } finally {
      isOver = true;
      await changing;
    }
  });

  it('[S62] of a directory that an atomic writer swaps 200 times no two generations are ever mixed', async () => {
    const writer = new AtomicWriter(host);
    const payload = (i: number) =>
      Object.fromEntries(['a', 'b', 'sub/c'].map((path) => [path, { data: Buffer.from(`${i}`), mode: 0o644 }]));
    await writer.write(payload(0));
    const name = await project({ sources: [{ directory: { path: host } }] });
    let isOver = false;
    const seen = new Set<string>();
    const reading = (async () => {
      while (!isOver) {
        // Opened once: what is read below it is one generation of the projection.
        const generation = at(name, await publishedDirectory(at(name)));
        const texts = await Promise.all(['a', 'b', 'sub/c'].map((path) => readFile(join(generation, path), 'utf8')));
        assert.equal(new Set(texts).size, 1, `mixed: ${texts.join(' ')}`);
        seen.add(texts[0] ?? '');
      }
    })();
    try {
      for (let i = 1; i <= 200; i += 1) await writer.write(payload(i));
      await untilHolds(at(name, 'a'), '200');
    } finally {
      isOver = true;
    }
    await reading;
    assert.ok(seen.has('200'));
  });

  it('[S62] one swap of an atomic writer is one swap of the projection', async () => {
    const writer = new AtomicWriter(host);
    await writer.write({ a: { data: Buffer.from('1'), mode: 0o400 }, b: { data: Buffer.from('1'), mode: 0o644 } });
    const name = await project({ sources: [{ directory: { path: host } }] });
    assert.deepEqual(
      (await detail(name)).paths.map(({ path, mode }) => [path, mode]),
      [
        ['a', 0o400],
        ['b', 0o644],
      ],
    );
    await writer.write({ a: { data: Buffer.from('2'), mode: 0o400 }, b: { data: Buffer.from('2'), mode: 0o644 } });
    await untilHolds(at(name, 'b'), '2');
    await appendFile(join(host, 'stray'), 'not of the writer');
    await writer.write({ a: { data: Buffer.from('3'), mode: 0o400 }, b: { data: Buffer.from('3'), mode: 0o644 } });
    await untilHolds(at(name, 'b'), '3');
    assert.deepEqual([(await detail(name)).generation, (await detail(name)).files], [3, 2]);
  });

  it('[S63][S64] a link that leads out is refused, and the content stays until it is gone', async () => {
    await writeFile(join(host, 'a'), '1');
    const name = await project({ sources: [{ directory: { path: host } }] });
    await symlink('/etc/shadow', join(host, 'sneaky'));
    await writeFile(join(host, 'a'), '2');
    await until('the error', async () => (await detail(name)).refreshError !== undefined);
    const { refreshError, sources } = await detail(name);
    assert.match(refreshError ?? '', /sources\[0\] \(directory .*\): the link sneaky leads out of the directory/);
    assert.match(sources?.[0]?.error ?? '', /sneaky/);
    assert.equal(await readFile(at(name, 'a'), 'utf8'), '1');
    assert.ok((await daemon.client.status()).warnings.some((warning) => warning.includes(name)));
    assert.match(
      await daemon.client.metrics(),
      new RegExp(`^dunnage_source_refresh_failures_total\\{directory="${name}"\\} [1-9]`, 'm'),
    );
    await rm(join(host, 'sneaky'));
    await untilHolds(at(name, 'a'), '2');
    await until('the end of the error', async () => (await detail(name)).refreshError === undefined);
  });

  it('[S63] the tree of the daemon itself is refused, by every way to it', async () => {
    await applyObject('ConfigMap', 'own', { data: { a: '1' } });
    await symlink(at('configmap.own'), join(host, 'link'));
    await symlink(daemon.mountPoint, join(host, 'whole'));
    for (const path of [at('configmap.own'), join(host, 'link'), join(host, 'whole')]) {
      await assert.rejects(project({ sources: [{ directory: { path } }] }), {
        code: 'INVALID_ARGUMENT',
        message: /tree of dunnage itself/,
        remedy: /use a projection/,
      });
    }
    await assert.rejects(project({ sources: [{ file: { path: join(host, 'link/a') } }] }), /tree of dunnage itself/);
  });

  it('[S64] a source that goes away leaves the content, and an optional one takes its files along', async () => {
    await mkdir(join(host, 'd'));
    await writeFile(join(host, 'd/a'), '1');
    await writeFile(join(host, 'f'), '1');
    const name = await project({
      sources: [{ directory: { path: join(host, 'd') } }, { file: { path: join(host, 'f'), optional: true } }],
    });
    await rm(join(host, 'f'));
    await until('one file', async () => (await detail(name)).files === 1);
    await rename(join(host, 'd'), join(host, 'elsewhere'));
    await until('the error', async () => /d does not exist/.test((await detail(name)).refreshError ?? ''));
    assert.equal(await readFile(at(name, 'a'), 'utf8'), '1');
    await rename(join(host, 'elsewhere'), join(host, 'd'));
    await writeFile(join(host, 'd/a'), '2');
    await untilHolds(at(name, 'a'), '2');
  });

  it('[S65] sources are followed again after a daemon was killed, with what changed meanwhile', async () => {
    await writeFile(join(host, 'a'), '1');
    const name = await project({ sources: [{ directory: { path: host } }], files: [{ path: 'own', data: 'kept' }] });
    await killDaemon(daemon);
    await writeFile(join(host, 'a'), 'while it was dead');
    await daemon.up();
    await untilHolds(at(name, 'a'), 'while it was dead');
    const watch = await InotifyWatch.start(at(name));
    try {
      await writeFile(join(host, 'a'), 'afterwards');
      await watch.until(swapped);
    } finally {
      await watch.stop();
    }
    assert.equal(await readFile(at(name, 'a'), 'utf8'), 'afterwards');
    assert.equal(await readFile(at(name, 'own'), 'utf8'), 'kept');
  });

  it('[S66] content of a Secret, and literal content beside it, is not on disk in clear', async () => {
    await applyObject('Secret', 'db', { stringData: { password: 'harbour-lantern-52' } });
    const name = await project({
      sources: [{ secret: { name: 'db' } }],
      files: [{ path: 'note', data: 'literal-beside-it-53' }],
    });
    assert.equal(await readFile(at(name, 'password'), 'utf8'), 'harbour-lantern-52');
    assert.ok((await detail(name)).paths.every(({ sha256 }) => sha256 === undefined));
    const entries = await readdir(daemon.stateDir, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    const contents = await Promise.all(files.map((path) => readFile(path)));
    assert.ok(
      contents.some((bytes) => bytes.includes(name)),
      'looked at the right files',
    );
    for (const text of ['harbour-lantern-52', 'literal-beside-it-53']) {
      const base64 = Buffer.from(text).toString('base64').replace(/=+$/, '');
      for (const bytes of contents) assert.ok(!bytes.includes(text) && !bytes.includes(base64));
    }
  });
});
