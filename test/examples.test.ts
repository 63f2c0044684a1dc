/** Every file of examples/ does what its header says, on a daemon as users start it. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { stayInside } from './kernel/helpers/stay-inside.ts';
import { DaemonProcess } from './tools/daemon-process.ts';
import { compiledRoot, repositoryRoot } from './tools/repository.ts';
import { skipUnlessScratch } from './tools/scratch-file-system.ts';

const run = promisify(execFile);
const EXAMPLES = join(repositoryRoot(), 'examples');
const EXAMPLE_MS_MAX = 60_000;
const needsRoot = process.geteuid?.() === 0 ? {} : { skip: 'examples are applied to a mounted tree, which needs root' };

const missing = ['/usr/sbin/nginx', '/usr/bin/curl'].find((program) => !existsSync(program));
const needsNginx = missing === undefined ? {} : { skip: `${missing} is not installed` };

const lacksXfs = skipUnlessScratch('xfs');
const needsXfs = lacksXfs === false ? {} : { skip: lacksXfs };

describe('examples', needsRoot, () => {
  let daemon: DaemonProcess;
  before(async () => {
    daemon = await DaemonProcess.start(process.env['TMPDIR'] ?? '/var/tmp');
  });
  after(() => daemon.stop());

  const apply = (name: string): Promise<string> => daemon.dunnage('apply', '-f', join(EXAMPLES, name));
  const projected = (...parts: string[]): string => join(daemon.mountPoint, 'projections', ...parts);

  test('config-map.yaml becomes text and binary files', async () => {
    assert.equal(await apply('config-map.yaml'), 'configmap/web created\n');
    assert.match(await readFile(projected('configmap.web/nginx.conf'), 'utf8'), /^server \{\n {2}listen 8080;/);
    assert.deepEqual(JSON.parse(await readFile(projected('configmap.web/feature-flags.json'), 'utf8')), {
      checkout: 'new',
      search: 'old',
    });
    assert.equal((await readFile(projected('configmap.web/marker.bin'))).toString('hex'), '89504e470d0a1a0a');
  });

  test('projection.yaml becomes directories, modes and owners', async () => {
    assert.equal(await apply('projection.yaml'), 'projection/app created\n');
    assert.match(await readFile(projected('app/conf.d/limits.ini'), 'utf8'), /open_files = 65536/);
    const { mode, uid, gid } = await stat(projected('app/keys/signing.key'));
    assert.deepEqual([mode & 0o777, uid, gid], [0o400, 1000, 1000]);
  });

  test('secret.yaml is created, secret-rotated.yaml rotates it, and watch-with-inotify.sh tells', async () => {
    assert.equal(await apply('secret.yaml'), 'secret/db created\n');
    assert.equal(await readFile(projected('secret.db/password'), 'utf8'), 'winter-tide-41');
    const watch = 'sh "$0" "$1" 1 | { read -r first; echo in; echo "$first"; cat; }';
    const told = await stayInside(
      'sh',
      ['-c', watch, join(EXAMPLES, 'watch-with-inotify.sh'), projected('secret.db')],
      async () => {
        assert.equal(await apply('secret-rotated.yaml'), 'secret/db configured\n');
      },
    );
    assert.match(told, /^in\nwatching .*\/secret\.db\n\.\.\d{4}[_\d]+\.\d+\n$/);
    assert.equal(await readFile(projected('secret.db/password'), 'utf8'), 'spring-tide-42');
    assert.equal(
      await readFile(projected('secret.db/url'), 'utf8'),
      'postgres://orders:spring-tide-42@db.internal:5432/orders',
    );
  });

  test('alloc.yaml makes directories of two tasks and presents the Secret in one', async () => {
    await apply('secret.yaml');
    assert.equal(await apply('alloc.yaml'), 'alloc/shop created\n');
    const alloc = join(daemon.mountPoint, 'allocs/shop');
    assert.deepEqual((await readdir(alloc)).toSorted(), ['alloc', 'log-shipper', 'web']);
    assert.equal(await readFile(join(alloc, 'web/local/db/password'), 'utf8'), 'winter-tide-41');
    assert.equal(await daemon.dunnage('alloc', 'delete', 'shop', '--wait'), 'alloc/shop deleted\n');
  });

  test('pool.yaml makes a pool in a file, which the commands of its header show and delete', needsXfs, async () => {
    assert.equal(await apply('pool.yaml'), 'pool/dev created\n');
    assert.match(await daemon.dunnage('pool', 'status', 'dev'), /^State: +ready$/m);
    assert.equal(await daemon.dunnage('pool', 'delete', 'dev'), 'pool/dev deleted\n');
    assert.deepEqual(await readdir(join(daemon.stateDir, 'pools')), []);
  });

  test('nginx-reload/ has nginx reload on a swap', needsNginx, async () => {
    const { stdout } = await run('sh', [join(EXAMPLES, 'nginx-reload/run.sh')], {
      env: {
        ...process.env,
        DUNNAGE: `${process.execPath} ${join(compiledRoot(), 'src/cli/main.js')}`,
        DUNNAGE_SOCKET: join(daemon.runtimeDir, 'dunnage.sock'),
        TMPDIR: daemon.folder,
      },
      timeout: 60_000,
    });
    assert.deepEqual(stdout.split('\n').slice(0, 4), [
      'projection/nginx created',
      'nginx answers: ahoy',
      'projection/nginx configured',
      'nginx answers: land in sight',
    ]);
    assert.match(stdout, /^exec \/usr\/sbin\/nginx +done +exit code 0/m);
    await assert.rejects(stat(projected('nginx')), { code: 'ENOENT' });
    assert.deepEqual(
      (await readdir(daemon.folder)).filter((name) => name.startsWith('tmp.')),
      [],
    );
  });

  test('sources.yaml follows its sources, and watch-with-chokidar.ts reloads with them', async () => {
    assert.equal(await apply('sources.yaml'), 'projection/site created\nconfigmap/site created\nsecret/site created\n');
    assert.equal(await readFile(projected('site/labels'), 'utf8'), 'app="site"\nstage="production"');
    const { mode, uid, gid } = await stat(projected('site/keys/api-token'));
    assert.deepEqual([mode & 0o777, uid, gid], [0o440, 0, 2000]);

    const program = spawn(process.execPath, [
      join(compiledRoot(), 'examples/watch-with-chokidar.js'),
      projected('site'),
      '2',
    ]);
    const ended = once(program, 'exit');
    try {
      const lines = createInterface({ input: program.stdout })[Symbol.asyncIterator]();
      const manifest = await readFile(join(EXAMPLES, 'sources.yaml'), 'utf8');
      const said = [String((await lines.next()).value)];
      for (const workers of [8, 16]) {
        const file = join(daemon.folder, 'changed.yaml');
        await writeFile(file, manifest.replace('workers = 4', `workers = ${workers}`));
        await daemon.dunnage('apply', '-f', file);
        said.push(String((await lines.next()).value));
      }
      assert.equal(await readFile(projected('site/site.ini'), 'utf8'), '[site]\nworkers = 16\n');
      for (const line of said) assert.match(line, /^\.\.\d{4}[_\d]+\.\d+: 3 files$/);
      assert.equal(new Set(said).size, said.length);
    } finally {
      program.kill();
      await ended;
    }
  });

  test('secret-rotation.ts rotates a Secret under a reader that never sees two passwords', async () => {
    const program = join(compiledRoot(), 'examples/secret-rotation.js');
    const { stdout } = await run(process.execPath, [program, '20'], {
      env: { ...process.env, DUNNAGE_SOCKET: join(daemon.runtimeDir, 'dunnage.sock') },
      timeout: EXAMPLE_MS_MAX,
    });
    const rotations = Array.from(
      { length: 20 },
      (_, index) => `generation ${index + 2}: 3 files, seen after the rotation\n`,
    );
    assert.equal(stdout, `${rotations.join('')}0 reads failed, 0 reads mixed two passwords\n`);
    await assert.rejects(stat(projected('secret.rotating-db')), { code: 'ENOENT' });
  });

  test('task-directories.ts prints what its header says, and leaves nothing mounted', async () => {
    const folder = await mkdtemp(join(process.env['TMPDIR'] ?? '/var/tmp', 'ex-'));
    try {
      const program = join(compiledRoot(), 'examples/task-directories.js');
      const { stdout } = await run(process.execPath, [program, join(folder, 'allocs')], { timeout: EXAMPLE_MS_MAX });
      const header = await readFile(join(EXAMPLES, 'task-directories.ts'), 'utf8');
      const [, session = ''] = /\n \* {3}# .*\n((?: \* {3}.*\n)+)/.exec(header) ?? [];
      assert.equal(stdout, session.replaceAll(' *   ', ''));
      assert.ok(!(await readFile('/proc/self/mountinfo', 'utf8')).includes(folder));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('watch-with-inotify.sh says how it is used', async () => {
    await assert.rejects(
      run('sh', [join(EXAMPLES, 'watch-with-inotify.sh')]),
      /usage: watch-with-inotify\.sh DIRECTORY/,
    );
  });

  test('single-file-mount.sh shows a rotation through a bind mount of one file, and its events', async () => {
    const { stdout } = await run('sh', [join(EXAMPLES, 'single-file-mount.sh')], {
      env: { ...process.env, DUNNAGE_SOCKET: join(daemon.runtimeDir, 'dunnage.sock') },
      timeout: EXAMPLE_MS_MAX,
    });
    const header = await readFile(join(EXAMPLES, 'single-file-mount.sh'), 'utf8');
    assert.equal(
      stdout,
      [...header.matchAll(/^# {3}(in the container: .*)$/gm)].map(([, line]) => `${line}\n`).join(''),
    );
    assert.match(stdout, /MODIFY\n.*CLOSE_WRITE\n.*spring-tide-42\n$/);
  });

  test('single-file-mount.sh starts a daemon of its own where none is named, and leaves nothing', async () => {
    const { DUNNAGE_SOCKET: _, ...env } = process.env;
    const folder = await mkdtemp(join(env['TMPDIR'] ?? '/var/tmp', 'ex-'));
    try {
      const { stdout } = await run('sh', [join(EXAMPLES, 'single-file-mount.sh')], {
        env: { ...env, TMPDIR: folder },
        timeout: EXAMPLE_MS_MAX,
      });
      assert.match(stdout, /winter-tide-41\n(.*\n)+.*spring-tide-42\n$/);
      assert.ok(!(await readFile('/proc/self/mountinfo', 'utf8')).includes(folder));
      await rmdir(folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('no example is without a test here', async () => {
    const tested = [
      'alloc.yaml',
      'config-map.yaml',
      'nginx-reload',
      'pool.yaml',
      'projection.yaml',
      'secret-rotated.yaml',
      'secret-rotation.ts',
      'secret.yaml',
      'single-file-mount.sh',
      'sources.yaml',
      'task-directories.ts',
      'watch-with-chokidar.ts',
      'watch-with-inotify.sh',
    ];
    assert.deepEqual((await readdir(EXAMPLES)).sort(), tested);
  });
});
