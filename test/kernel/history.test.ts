/** Generations that are kept: what a user of the command line and a consumer of the mount see of them. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { type FileHandle, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ProjectionHistory, RollbackResult } from '../../src/server/history-operations.ts';
import type { DaemonProcess } from '../tools/daemon-process.ts';
import { until } from '../tools/until.ts';
import { InotifyWatch } from './helpers/inotify.ts';
import {
  projectionRoot,
  publishedDirectory,
  startDaemon,
  TEST_PARENT,
  text,
  timestampDirectories,
} from './helpers/projected.ts';
import { run } from './helpers/run.ts';

const PROGRAM = fileURLToPath(new URL('./programs/dying-daemon.js', import.meta.url));
const UNTIL_SECONDS = 20;

let daemon: DaemonProcess;

const write = (name: string, files: Record<string, string>): Promise<unknown> =>
  daemon.client.writeProjection(name, text(files));

async function kept(name: string): Promise<number[]> {
  const history = await daemon.client.projectionHistory('Projection', 'default', name);
  return history.generations.map(({ generation }) => generation);
}

/** Resolves when the figure has that value: content goes in the background, and nobody is told. */
async function untilFigure(name: string, wanted: number): Promise<void> {
  const line = new RegExp(`^${name} ${wanted}$`, 'm');
  await until(`${name} ${wanted}`, async () => line.test(await daemon.client.metrics()), UNTIL_SECONDS);
}

describe('the history of a projection', () => {
  before(async () => {
    daemon = await startDaemon();
  });
  after(() => daemon.stop());

  it('[S32] keeps ten generations of twelve, through the command line, and the live one is the only one in the tree', async () => {
    for (let round = 1; round <= 12; round += 1) await write('twelve', { key: `${round}\n`, same: 'x\n' });
    const history = JSON.parse(await daemon.dunnage('projection', 'history', 'twelve', '--json')) as ProjectionHistory;
    assert.deepEqual(
      history.generations.map(({ generation }) => generation),
      [12, 11, 10, 9, 8, 7, 6, 5, 4, 3],
    );
    assert.deepEqual(history.generations[0]?.changes, { added: 0, removed: 0, modified: 1 });
    assert.deepEqual(await timestampDirectories(projectionRoot(daemon, 'twelve')), [history.generations[0]?.directory]);
    assert.match(await daemon.dunnage('projection', 'history', 'twelve'), /^ +12 .* live\n +11 /m);
    assert.equal(
      await daemon.dunnage('projection', 'diff', 'twelve', '--from', '3'),
      'diff --git a/key b/key\n--- a/key\n+++ b/key\n@@ -1 +1 @@\n-3\n+12\n',
    );
    await assert.rejects(daemon.dunnage('projection', 'diff', 'twelve', '--from', '2'), /generation 2 .*is not kept/);
  });

  it('[S32] has the length that the manifest says, also of Kubernetes objects', async () => {
    const manifest = (limit: number, value: number): string =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, annotations: {dunnage/history-limit: "${limit}"}}\ndata: {key: "${value}"}`;
    for (let value = 1; value <= 4; value += 1) await daemon.client.apply(manifest(3, value));
    const numbers = async (): Promise<number[]> =>
      (await daemon.client.projectionHistory('ConfigMap', 'default', 'web')).generations.map((one) => one.generation);
    assert.deepEqual(await numbers(), [4, 3, 2]);
    assert.equal((await daemon.client.apply(manifest(1, 4)))[0]?.action, 'configured');
    assert.deepEqual(await numbers(), [4]);
  });

  it('[S32] outlives the daemon and a new mount, also the way back', async () => {
    for (const key of ['1', '2', '3']) await write('lasting', { key });
    await daemon.dunnage('down');
    await daemon.up();
    assert.deepEqual(await kept('lasting'), [3, 2, 1]);
    assert.equal((await daemon.client.rollbackProjection('Projection', 'default', 'lasting', 1)).generation, 4);
    assert.equal(await readFile(join(projectionRoot(daemon, 'lasting'), 'key'), 'utf8'), '1');
  });

  it('[S33] a rollback is a swap for whoever watches', async () => {
    await write('back', { stays: '1', gone: '1' });
    await write('back', { stays: '2', made: '2' });
    const root = projectionRoot(daemon, 'back');
    const watch = await InotifyWatch.start(root);
    try {
      const result = JSON.parse(await daemon.dunnage('projection', 'rollback', 'back', '--json')) as RollbackResult;
      assert.deepEqual([result.action, result.to, result.generation], ['rolled-back', 1, 3]);
      await watch.until(({ events, name }) => events === 'DELETE' && name === 'made');
      assert.deepEqual(watch.seen, [
        { events: 'CREATE,ISDIR', name: await publishedDirectory(root) },
        { events: 'CREATE', name: '..data_tmp' },
        { events: 'MOVED_FROM', name: '..data_tmp' },
        { events: 'MOVED_TO', name: '..data' },
        { events: 'CREATE', name: 'gone' },
        { events: 'DELETE', name: 'made' },
      ]);
      assert.equal(await readFile(join(root, 'gone'), 'utf8'), '1');
    } finally {
      await watch.stop();
    }
  });

  it('[S32][S33] stores no content twice, and a purge frees what nothing else holds', async () => {
    await untilFigure('dunnage_generations', await generationsOfAll());
    const blobs = Number(/^dunnage_blobs (\d+)$/m.exec(await daemon.client.metrics())?.[1]);
    const large = (letter: string): string => letter.repeat(200_000);
    for (const letter of ['a', 'b', 'c']) await write('purged', { large: large(letter), key: letter });
    await untilFigure('dunnage_blobs', blobs + 6);
    await daemon.client.rollbackProjection('Projection', 'default', 'purged', 1);
    await untilFigure('dunnage_blobs', blobs + 6);
    assert.equal(
      await daemon.dunnage('projection', 'history', 'purged', '--purge'),
      'projection/purged: 3 dropped, 1 kept\n',
    );
    await untilFigure('dunnage_blobs', blobs + 2);
    assert.equal(await readFile(join(projectionRoot(daemon, 'purged'), 'large'), 'utf8'), large('a'));
  });

  async function generationsOfAll(): Promise<number> {
    let sum = 0;
    for (const { kind, namespace, name } of await daemon.client.listProjections(undefined)) {
      sum += (await daemon.client.projectionHistory(kind, namespace, name)).generations.length;
    }
    return sum;
  }

  it('[S34] whoever holds the directory of a generation reads it whole, after many swaps and a purge', async () => {
    const files: Record<string, string> = { large: 'x'.repeat(300_000) };
    for (let index = 0; index < 50; index += 1) files[`directory/${index}`] = `content ${index}`;
    await write('held', files);
    const root = projectionRoot(daemon, 'held');
    const directory: FileHandle = await open(join(root, '..data'), constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      for (let round = 0; round < 15; round += 1) await write('held', { other: String(round) });
      await daemon.client.purgeHistory('Projection', 'default', 'held', 1);
      assert.deepEqual(await kept('held'), [16]);
      // What is dropped and not held goes; the held one is left.
      await untilFigure('dunnage_generations', (await generationsOfAll()) + 1);
      const held = join('/proc/self/fd', String(directory.fd));
      assert.deepEqual((await readdir(held)).toSorted(), ['directory', 'large']);
      assert.equal((await readdir(join(held, 'directory'))).length, 50);
      for (const [path, content] of Object.entries(files)) {
        assert.equal(await readFile(join(held, path), 'utf8'), content);
      }
    } finally {
      await directory.close();
    }
    // Nothing holds it any more except what the kernel has cached, which it gives up when it is asked to.
    await run('sh', ['-c', 'echo 2 > /proc/sys/vm/drop_caches']);
    await untilFigure('dunnage_generations', await generationsOfAll());
  });

  it('[S35] a diff of a Secret says names, modes and sizes', async () => {
    const manifest = (password: string): string =>
      `apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {password: ${password}, same: hunter0}`;
    await daemon.client.apply(manifest('hunter1'));
    await daemon.client.apply(manifest('hunter-two'));
    const shown = await daemon.dunnage('projection', 'diff', 'secret/db');
    assert.equal(shown, 'diff --git a/password b/password\nContent differs\n7 B -> 10 B\n');
    const json = await daemon.dunnage('projection', 'diff', 'secret/db', '--json');
    assert.doesNotMatch(json, /hunter|sha256|[0-9a-f]{16}/);
    await daemon.dunnage('projection', 'rollback', 'secret/db');
    assert.equal(await readFile(join(projectionRoot(daemon, 'secret.db'), 'password'), 'utf8'), 'hunter1');
  });
});

describe('extended attributes of a projection', () => {
  before(async () => {
    daemon = await startDaemon();
  });
  after(() => daemon.stop());

  async function attribute(path: string, name: string): Promise<string> {
    return (await run('getfattr', ['--only-values', '--absolute-names', '-n', `user.dunnage.${name}`, path])).trim();
  }

  async function requests(): Promise<number> {
    const { connections } = await daemon.client.status();
    return connections.find(({ name }) => name === 'projections')?.requests ?? Number.NaN;
  }

  it('[S36] say the generation and when its source was read, also through a bind mount', async () => {
    const startMs = performance.timeOrigin + performance.now();
    await write('web', { key: '1' });
    await write('web', { key: '2' });
    const root = projectionRoot(daemon, 'web');
    const target = await mkdtemp(join(TEST_PARENT, 'bind-'));
    await run('mount', ['--bind', root, target]);
    try {
      for (const path of [root, target]) {
        assert.equal(await attribute(path, 'generation'), '2');
        const seen = await attribute(path, 'source-seen');
        assert.match(seen, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
        assert.ok(Date.parse(seen) >= startMs - 1_000, `${seen} is before the write`);
      }
      assert.equal(await attribute(join(target, '..data/'), 'generation'), '2');
      await write('web', { key: '3' });
      assert.equal(await attribute(target, 'generation'), '3');
      const listed = await run('getfattr', ['--absolute-names', '-d', target]);
      // A container with a single file sees nothing but that.
      const file = join(daemon.mountPoint, 'live/web/key');
      assert.equal(await attribute(file, 'generation'), '3');
      assert.match(listed, /user\.dunnage\.generation="3"\nuser\.dunnage\.source-seen=/);
      await daemon.client.rollbackProjection('Projection', 'default', 'web', undefined);
      assert.equal(await attribute(target, 'generation'), '4');
    } finally {
      await run('umount', [target]);
      await rm(target, { recursive: true });
    }
  });

  it('a file of a generation has none, and asking for one that is not there is no error of the file system', async () => {
    await write('bare', { key: '1' });
    const key = join(projectionRoot(daemon, 'bare'), 'key');
    assert.equal(await run('getfattr', ['--absolute-names', '-d', '-m', '-', key]), '');
    await assert.rejects(attribute(key, 'generation'), /No such attribute/);
    assert.match(await run('ls', ['-l', key]), /key/);
  });

  it('[S7] cost a hot read, stat, listing or start of a program nothing', async () => {
    const program = new Map([
      [
        'run',
        { data: Buffer.from('#!/bin/sh\ncd "$(dirname "$0")" && read -r line <key && echo "$line"\n'), mode: 0o755 },
      ],
    ]);
    await daemon.client.writeProjection('hot', new Map([...program, ...text({ key: 'content\n' })]));
    const root = projectionRoot(daemon, 'hot');
    await attribute(root, 'generation');
    const use = async (): Promise<void> => {
      assert.equal(await run(join(root, 'run'), []), 'content\n');
      assert.match(await run('ls', [root]), /key/);
    };
    for (let round = 0; round < 3; round += 1) await use();
    const hot = await requests();
    for (let round = 0; round < 10; round += 1) await use();
    assert.equal((await requests()) - hot, 0);
  });
});

describe('kill -9 in a rollback', () => {
  before(async () => {
    daemon = await startDaemon();
  });
  after(() => daemon.stop());

  for (const [index, [name, at, left]] of (
    [
      ['after staging', { dieAtStep: 'staged' }, 'new'],
      ['before the rename', { dieBeforeOperation: 2 }, 'new'],
      ['after the rename', { dieAtStep: 'published' }, 'old'],
      ['before the links', { dieBeforeOperation: 3 }, 'old'],
    ] as const
  ).entries()) {
    const web = `web-${index}`;
    it(`[S33] ${name}: the ${left} content, and it can be repeated`, async () => {
      await write(web, { a: 'old', gone: 'old' });
      await write(web, { a: 'new', made: 'new' });
      await daemon.dunnage('down', '--keep');
      const child = spawn(process.execPath, [PROGRAM, JSON.stringify({ folder: daemon.folder, ...at })], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const exited = once(child, 'exit');
      await once(child.stdout, 'data');
      await writeFile(join(daemon.folder, 'armed'), '');
      await assert.rejects(daemon.client.rollbackProjection('Projection', 'default', web, 1));
      assert.equal((await exited)[1], 'SIGKILL');
      await rm(join(daemon.folder, 'armed'));
      await daemon.up();
      await assertContent(web, left);
      assert.deepEqual(await kept(web), left === 'new' ? [2, 1] : [3, 2, 1]);
      await daemon.client.rollbackProjection('Projection', 'default', web, 1);
      await assertContent(web, 'old');
    });
  }

  async function assertContent(web: string, which: 'old' | 'new'): Promise<void> {
    const root = projectionRoot(daemon, web);
    assert.equal(await readFile(join(root, 'a'), 'utf8'), which);
    const visible = (await readdir(root)).filter((name) => !name.startsWith('..'));
    assert.deepEqual(visible.toSorted(), ['a', which === 'old' ? 'gone' : 'made']);
  }
});
