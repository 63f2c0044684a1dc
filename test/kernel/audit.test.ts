/** Projections whose opens are written down: by whom, of what, each once; and for users the same as any other. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, statfs, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { validatePayload } from '../../src/projection/path-rules.ts';
import { MountedProjection } from '../../src/server/mounted-projection.ts';
import { atomicWriterConformance } from '../conformance/atomic-writer.ts';
import type { DaemonProcess } from '../tools/daemon-process.ts';
import { mountsBeneath } from './helpers/fuse-connections.ts';
import { InotifyWatch } from './helpers/inotify.ts';
import {
  killDaemon,
  projectionRoot,
  publishedDirectory,
  startDaemon,
  TEST_PARENT,
  text,
  timestampDirectories,
} from './helpers/projected.ts';
import { run } from './helpers/run.ts';

const PLAIN = 'audited-and-still-nowhere';
const AS_USER = ['--reuid=1234', '--regid=5678', '--clear-groups'];

let daemon: DaemonProcess;
before(async () => {
  daemon = await startDaemon();
  await daemon.client.apply(secret(PLAIN));
  await daemon.client.apply(audited('web', { 'conf/a': 'A', b: 'B' }));
});
after(() => daemon.stop());

const secret = (password: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'db', annotations: { 'dunnage/audit': 'true' } },
    stringData: { password },
  });

const audited = (name: string, files: Readonly<Record<string, string>>, audit = true): string =>
  JSON.stringify({
    apiVersion: 'dunnage/v1',
    kind: 'Projection',
    metadata: { name },
    spec: { audit, files: Object.entries(files).map(([path, data]) => ({ path, data })) },
  });

interface Line {
  readonly view: string;
  readonly event: string;
  readonly projection: string;
  readonly path: string;
  readonly generation: number;
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  readonly program: string;
  readonly command: string;
  /** Asked for again after a takeover. */
  readonly repeated?: true;
}

/** Every line so far; those for opens before are there when the status says so. */
async function auditLines(): Promise<Line[]> {
  const content = await readFile(join(daemon.stateDir, 'audit.log'), 'utf8');
  return content
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

/** Lines written since the last call, as soon as there are so many. */
let seen = 0;
async function newLines(count: number): Promise<Line[]> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const lines = await auditLines().catch(() => []);
    if (lines.length >= seen + count || performance.now() > deadline) {
      const fresh = lines.slice(seen);
      seen = lines.length;
      return fresh;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const brief = ({ uid, gid, program, command, projection, path, generation }: Line): unknown[] => [
  ...[uid, gid, program, command],
  ...[projection, path, generation],
];

const root = (name: string): string => projectionRoot(daemon, name);

async function requestsOf(connection: string): Promise<number> {
  const { connections } = await daemon.client.status();
  return connections.find(({ name }) => name === connection)?.requests ?? Number.NaN;
}

describe('an audited projection', () => {
  it('[S57] has a line for each open: who, by which program, of which file and generation', async () => {
    const cat = await run('readlink', ['-f', '/usr/bin/cat']).then((path) => path.trim());
    assert.equal(await run('setpriv', [...AS_USER, 'cat', join(root('secret.db'), 'password')]), PLAIN);
    assert.equal(await run('cat', [join(root('web'), 'conf/a'), join(root('web'), '..data/b')]), 'AB');
    const lines = await newLines(3);
    assert.deepEqual(lines.map(brief), [
      [1234, 5678, cat, 'cat', 'secret.db', 'password', 1],
      [0, 0, cat, 'cat', 'web', 'conf/a', 1],
      [0, 0, cat, 'cat', 'web', 'b', 1],
    ]);
    assert.ok(lines[1]?.pid === lines[2]?.pid && lines[0]?.pid !== lines[1]?.pid);
  });

  it('[S57] has one line for each open, none for a read, a stat, an O_PATH or a failed open', async () => {
    const path = join(root('web'), 'b');
    const script = `
import os
for _ in range(2):
    file = os.open("${path}", os.O_RDONLY)
    for _ in range(3):
        os.lseek(file, 0, 0)
        assert os.read(file, 10) == b"B"
    os.close(file)
directory = os.open("${root('web')}/..data", os.O_RDONLY)
os.close(os.open("b", os.O_RDONLY, dir_fd=directory))
os.close(os.open("${path}", os.O_PATH))
os.stat("${path}")
os.listdir("${root('web')}")
for flags in (os.O_WRONLY, os.O_RDWR):
    try:
        os.open("${path}", flags)
        raise SystemExit("opened for writing")
    except OSError as error:
        assert error.errno == 30, error
`;
    await run('python3', ['-c', script]);
    await run('setpriv', [...AS_USER, 'cat', join(root('web'), 'conf/a')]);
    const lines = await newLines(4);
    assert.deepEqual(
      lines.map(({ uid, path: name }) => [uid, name]),
      [
        [0, 'b'],
        [0, 'b'],
        [0, 'b'],
        [1234, 'conf/a'],
      ],
    );
  });

  it('[S57] has a line for each open through the live view too, by whom it was', async () => {
    const path = join(daemon.mountPoint, 'live/secret.db/password');
    assert.equal(await run('setpriv', [...AS_USER, 'cat', path]), PLAIN);
    const [line] = await newLines(1);
    assert.deepEqual(
      [line?.view, ...brief(line as Line)].filter((_, at) => at !== 3),
      [...['live', 1234, 5678, 'cat', 'secret.db', 'password', 1]],
    );
  });

  it('costs one request for a hot open, and projections that are not audited still cost none', async () => {
    await daemon.client.writeProjection('free', text({ key: 'content' }));
    const look = async (path: string): Promise<void> => void (await readFile(path, 'utf8'));
    const [hot, free] = [join(root('web'), 'b'), join(root('free'), 'key')];
    for (let round = 0; round < 3; round += 1) for (const path of [hot, free]) await look(path);
    await newLines(3);
    // The kernel may forget something of earlier tests meanwhile: then it is looked at again.
    const others: number[] = [];
    for (let attempt = 0; attempt < 5 && others.at(-1) !== 0; attempt += 1) {
      const before = [await requestsOf('audited'), await requestsOf('projections')];
      for (let round = 0; round < 50; round += 1) for (const path of [hot, free]) await look(path);
      const after = [await requestsOf('audited'), await requestsOf('projections')];
      // OPEN and RELEASE; the last releases may still be on their way.
      const audits = (after[0] as number) - (before[0] as number);
      assert.ok(audits >= 50 && audits <= 102, `${audits} requests`);
      others.push((after[1] as number) - (before[1] as number));
      assert.equal((await newLines(50)).length, 50);
    }
    assert.equal(others.at(-1), 0, `${others} requests`);
  });

  it('[S57] keeps content out of the audit log and the daemon’s log, which has the same lines', async () => {
    const log = await readFile(join(daemon.runtimeDir, 'dunnage.log'), 'utf8');
    const content = await readFile(join(daemon.stateDir, 'audit.log'), 'utf8');
    for (const form of [PLAIN, Buffer.from(PLAIN).toString('base64').replace(/=+$/, '')]) {
      assert.ok(!log.includes(form) && !content.includes(form));
    }
    const logged = log.split('\n').filter((line) => line.includes('"audited open"'));
    assert.equal(logged.length, content.trimEnd().split('\n').length);
    assert.equal((await stat(join(daemon.stateDir, 'audit.log'))).mode & 0o777, 0o600);
  });

  it('swaps under its watchers, also behind a bind mount in another mount namespace', async () => {
    const target = await mkdtemp(join(TEST_PARENT, 'bind-'));
    const watches = [
      await InotifyWatch.start(root('secret.db')),
      await InotifyWatch.startInNamespace(root('secret.db'), target),
    ];
    try {
      await daemon.client.apply(secret('rotated'));
      for (const watch of watches) {
        await watch.until(({ events, name }) => events === 'MOVED_TO' && name === '..data');
        const events = watch.seen.map(({ events: kinds, name }) => `${kinds} ${name.replace(/^\.\.\d.*/, 'TS')}`);
        assert.deepEqual(events.slice(0, 4), [
          'CREATE,ISDIR TS',
          'CREATE ..data_tmp',
          'MOVED_FROM ..data_tmp',
          'MOVED_TO ..data',
        ]);
      }
    } finally {
      for (const watch of watches) await watch.stop();
      await rm(target, { recursive: true });
    }
    assert.equal(await readFile(join(root('secret.db'), 'password'), 'utf8'), 'rotated');
    assert.equal((await newLines(1)).at(-1)?.generation, 2);
  });

  it('shows its own size in df', async () => {
    await daemon.client.apply(audited('sized', { a: 'x'.repeat(40_000) }));
    const blocks = (await run('df', ['-B', '4096', '--output=size', root('sized')])).trim().split('\n').at(-1);
    assert.equal(Number(blocks), 10);
    assert.equal((await statfs(join(daemon.mountPoint, '.audited'))).blocks, 0, 'df leaves out what has no blocks');
  });

  it('[S57] goes on after kill -9: who has a file open reads on, and the next open is written down', async () => {
    await auditLines();
    await newLines(0);
    const { opens } = (await daemon.client.status()).audit;
    assert.ok(opens > 50);
    await killDaemon(daemon);
    const waiting = readFile(join(root('web'), 'b'), 'utf8');
    await daemon.up();
    assert.equal(await waiting, 'B');
    assert.equal(await readFile(join(root('secret.db'), 'password'), 'utf8'), 'rotated');
    assert.deepEqual(
      (await newLines(2)).filter(({ repeated }) => !repeated).map(({ projection, path }) => [projection, path]),
      [
        ['web', 'b'],
        ['secret.db', 'password'],
      ],
    );
    assert.ok((await daemon.client.status()).takenOver);
    await daemon.client.apply(audited('web', { 'conf/a': 'A2', b: 'B2' }));
    assert.equal(await readFile(join(root('web'), 'b'), 'utf8'), 'B2');
    assert.equal((await newLines(1)).at(-1)?.generation, 2);
  });

  it('is there again after down and up, with what was mounted before', async () => {
    await daemon.dunnage('down');
    assert.deepEqual(await mountsBeneath(daemon.mountPoint), []);
    await daemon.up();
    assert.equal(await readFile(join(root('web'), 'b'), 'utf8'), 'B2');
    assert.equal((await newLines(1)).length, 1);
  });

  it('keeps its kind: audit cannot be turned on or off in place, and a write of content alone keeps it', async () => {
    const fixed = { code: 'IMMUTABLE', remedy: 'delete it and apply it again' };
    await assert.rejects(daemon.client.apply(audited('web', { b: 'B3' }, false)), fixed);
    await assert.rejects(daemon.client.apply(audited('free', { key: 'content' })), fixed);
    await daemon.client.writeProjection('web', text({ b: 'B3' }));
    assert.equal(await readFile(join(root('web'), 'b'), 'utf8'), 'B3');
    assert.equal((await newLines(1)).at(-1)?.generation, 3);
    assert.equal((await daemon.client.getProjection('Projection', 'default', 'web')).audited, true);
    assert.equal((await daemon.client.getProjection('Projection', 'default', 'free')).audited, false);
  });

  it('is deleted with its mount, and can be made again without audit', async () => {
    const before = (await mountsBeneath(daemon.mountPoint)).length;
    await daemon.client.deleteProjection('Projection', 'default', 'sized');
    assert.equal((await mountsBeneath(daemon.mountPoint)).length, before - 1);
    assert.ok(!(await readdir(join(daemon.mountPoint, 'projections'))).includes('sized'));
    await daemon.client.apply(audited('sized', { a: 'x' }, false));
    assert.equal(await readFile(join(root('sized'), 'a'), 'utf8'), 'x');
    assert.equal((await mountsBeneath(daemon.mountPoint)).length, before - 1);
  });
});

describe('an audit log that cannot be written', () => {
  it('[S58] holds up no open, is told in the status, and is completed when it can be written again', async () => {
    await newLines(0);
    const path = join(daemon.stateDir, 'audit.log');
    const before = await readFile(path, 'utf8');
    await daemon.dunnage('down', '--keep');
    await rm(path);
    await daemon.up();
    // Nobody appends to a directory.
    await run('mkdir', [path]);
    assert.equal(await readFile(join(root('web'), 'b'), 'utf8'), 'B3');
    const deadline = performance.now() + 20_000;
    while (!(await daemon.client.status()).warnings.some((warning) => warning.includes('audit.log'))) {
      assert.ok(performance.now() < deadline, 'the status tells');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.equal(await readFile(join(root('web'), 'b'), 'utf8'), 'B3');
    await run('rmdir', [path]);
    await writeFile(path, before, { mode: 0o600 });
    assert.deepEqual(
      (await newLines(2)).map(({ path: name }) => name),
      ['b', 'b'],
    );
    while ((await daemon.client.status()).warnings.length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  });
});

describe('a bind mount somebody took away', () => {
  it('is made again by the next daemon', async () => {
    await run('umount', [root('web')]);
    assert.deepEqual(await readdir(root('web')), []);
    await daemon.dunnage('down', '--keep');
    await daemon.up();
    assert.equal(await readFile(join(root('web'), 'b'), 'utf8'), 'B3');
    await assert.rejects(unlink(join(root('web'), 'b')), { code: 'EROFS' });
  });
});

let count = 0;
atomicWriterConformance('AtomicWriter through an audited mount', async () => {
  const name = `conformance-${count++}`;
  const projection = new MountedProjection(daemon.client, name);
  let isMade = false;
  return {
    root: root(name),
    async write(files) {
      validatePayload(files);
      // Only a manifest says that it is to be audited; what it brings is replaced by the first write.
      if (!isMade) await daemon.client.apply(audited(name, { seed: 'x' }));
      isMade = true;
      const { changed } = await projection.write(files);
      return { changed, directoryName: await publishedDirectory(root(name)) };
    },
    listTimestampDirectories: () => timestampDirectories(root(name)),
    cleanup: async () => {
      if (isMade) await daemon.client.deleteProjection('Projection', 'default', name);
    },
  };
});
