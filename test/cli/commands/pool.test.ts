import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { DunnageError } from '../../../src/errors/dunnage-error.ts';
import { examplePool, examplePoolReport } from '../../server/fake-pools.ts';
import { serveFake } from '../../server/serve-fake.ts';
import { dunnage } from '../run-dunnage.ts';

test('create makes the spec its options stand for, and only a new pool', async (t) => {
  const { socketPath, pools } = await serveFake(t);
  pools.warnings = ['it lies in a file: for development'];
  const ran = await dunnage([
    ...['pool', 'create', 'dev', '--size', '20GiB', '--device-size', '5g', '--overcommit', '--high-water-mark', '85%'],
    ...['--socket', socketPath],
  ]);
  assert.deepEqual(ran, {
    exitCode: 0,
    stdout: 'pool/dev created\n',
    stderr: 'warning: pool/dev: it lies in a file: for development\n',
  });
  const overcommit = { allowed: true, highWaterMark: '85%' };
  assert.deepEqual(pools.calls, [['putPool', 'dev', { file: { size: '20GiB' }, deviceSize: '5g', overcommit }, true]]);
  const json = await dunnage(['pool', 'create', 'dev', '--size', '20GiB', '--json', '--socket', socketPath]);
  assert.deepEqual([JSON.parse(json.stdout).name, json.stderr], ['dev', '']);
});

test('create hands over the text of a snapshotter configuration', async (t) => {
  const { socketPath, pools } = await serveFake(t);
  const folder = await mkdtemp(join(tmpdir(), 'pool-command-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'c.toml'), 'pool_name = "fast"\n');
  const ran = await dunnage(
    ['pool', 'create', 'fast', '--config', 'c.toml', '--directory', 'p', '--socket', socketPath],
    {
      cwd: folder,
    },
  );
  assert.equal(ran.exitCode, 0, ran.stderr);
  const spec = { config: 'pool_name = "fast"\n', directory: join(folder, 'p') };
  assert.deepEqual(pools.calls, [['putPool', 'fast', spec, true]]);
});

test('wrong words of create are usage errors, and the daemon is not asked', async (t) => {
  const { socketPath, pools } = await serveFake(t);
  for (const [words, said] of [
    [[], /where the pool lies is missing/],
    [['--size', '20 apples'], /must be a size/],
    [['--directory', '/p', '--high-water-mark', '101'], /percentage/],
    [['--directory', '/p', '--driver', 'zfs'], /reflink, devicemapper/],
    [['--directory', ''], /--directory is empty/],
    [['--config', '/nonexistent.toml'], /nonexistent/],
  ] as const) {
    const ran = await dunnage(['pool', 'create', 'fast', ...words, '--socket', socketPath]);
    assert.match(ran.stderr, said);
    assert.ok([2, 4].includes(ran.exitCode ?? 0), words.join(' '));
  }
  assert.deepEqual(pools.calls, []);
});

test('what the daemon has against a spec is told without its place in a document', async (t) => {
  const { socketPath, pools } = await serveFake(t);
  const message = 'document 1 (Pool "a"), line 1: spec.deviceSize: must be a size';
  pools.failure = new DunnageError('INVALID_MANIFEST', message, { remedy: 'write it as 20GiB' });
  const ran = await dunnage(['pool', 'create', 'a', '--size', '1g', '--socket', socketPath]);
  assert.deepEqual([ran.exitCode, ran.stderr], [2, 'dunnage: spec.deviceSize: must be a size\n  write it as 20GiB\n']);
});

test('list, get and status', async (t) => {
  const { socketPath, pools } = await serveFake(t);
  for (const words of [
    ['pool', 'list'],
    ['get', 'pools'],
    ['pool', 'status'],
  ]) {
    const none = await dunnage([...words, '--socket', socketPath]);
    assert.deepEqual([none.stdout, none.stderr], ['', 'there are no pools\n'], words.join(' '));
  }
  pools.pools.push(examplePool(), examplePool({ name: 'slow', devices: [] }));
  for (const words of [
    ['pool', 'list'],
    ['get', 'pools'],
  ]) {
    assert.match((await dunnage([...words, '--socket', socketPath])).stdout, /^fast +reflink +ready +12 GiB/m);
  }
  for (const words of [
    ['pool', 'status', 'fast'],
    ['get', 'pool/fast'],
    ['get', 'pool', 'fast'],
  ]) {
    const ran = await dunnage([...words, '--socket', socketPath]);
    assert.match(ran.stdout, /^Pool: +fast\n[\s\S]*^web +1 +Activated/m, words.join(' '));
    const json = await dunnage([...words, '--json', '--socket', socketPath]);
    assert.deepEqual(JSON.parse(json.stdout), examplePool());
  }
  const all = await dunnage(['pool', 'status', '--socket', socketPath]);
  assert.deepEqual(all.stdout.match(/^Pool: +\w+$/gm)?.length, 2);
  assert.equal(JSON.parse((await dunnage(['pool', 'status', '--json', '--socket', socketPath])).stdout).length, 2);
  assert.equal((await dunnage(['pool', 'status', 'none', '--socket', socketPath])).exitCode, 4);
});

test('get -o yaml shows the manifest of a pool, and of nothing else', async (t) => {
  const { socketPath, pools } = await serveFake(t);
  pools.pools.push(examplePool());
  const { stdout } = await dunnage(['get', 'pool', 'fast', '-o', 'yaml', '--socket', socketPath]);
  assert.match(stdout, /^apiVersion: dunnage\/v1\nkind: Pool\nmetadata:\n {2}name: fast\nspec:\n {2}driver: reflink\n/);
  assert.deepEqual(parse(stdout), (await pools.getPool('fast')).manifest);
  for (const words of [
    ['get', 'pools'],
    ['get', 'alloc/a'],
    ['get', 'secret/db'],
  ]) {
    const ran = await dunnage([...words, '-o', 'yaml', '--socket', socketPath]);
    assert.deepEqual([ran.exitCode, ran.stdout], [2, ''], words.join(' '));
  }
});

test('delete says what went with the pool and what stays; a pool with devices needs --force', async (t) => {
  const { socketPath, pools } = await serveFake(t);
  pools.pools.push(examplePool());
  pools.left = '/mnt/xfs/pool stays, without the files of the pool';
  const ran = await dunnage(['pool', 'delete', 'fast', '--force', '--socket', socketPath]);
  assert.deepEqual(ran, {
    exitCode: 0,
    stdout: 'pool/fast deleted with 2 devices: web, before\n',
    stderr: `note: ${pools.left}\n`,
  });
  const remedy = 'add --force, which deletes them';
  for (const words of [
    ['delete', 'pool', 'fast'],
    ['delete', 'pool/fast'],
    ['pool', 'delete', 'fast'],
  ]) {
    pools.failure = new DunnageError('BUSY', 'the pool fast has devices: before, web', { remedy });
    const refused = await dunnage([...words, '--socket', socketPath]);
    assert.deepEqual(
      [refused.exitCode, refused.stderr],
      [5, `dunnage: the pool fast has devices: before, web\n  ${remedy}\n`],
    );
  }
  assert.deepEqual(
    pools.calls.map(([, , force]) => force),
    [true, false, false, false],
  );
});

test('check and repair tell what they found by their exit codes, too', async (t) => {
  const { socketPath, pools } = await serveFake(t);
  for (const [command, outcome, exitCode] of [
    ['check', 'clean', 0],
    ['check', 'found', 11],
    ['repair', 'clean', 0],
    ['repair', 'repaired', 12],
    ['repair', 'unrepaired', 13],
  ] as const) {
    pools.report = examplePoolReport(outcome);
    const ran = await dunnage(['pool', command, 'fast', '--json', '--socket', socketPath]);
    assert.deepEqual([ran.exitCode, JSON.parse(ran.stdout)], [exitCode, pools.report], `${command}: ${outcome}`);
  }
  pools.report = examplePoolReport('found');
  assert.match(
    (await dunnage(['pool', 'check', 'fast', '--socket', socketPath])).stdout,
    /2 findings\. dunnage pool repair fast mends/,
  );
  await dunnage(['pool', 'repair', 'fast', '--delete-unknown', '--socket', socketPath]);
  assert.deepEqual(pools.calls.at(-1), ['repairPool', 'fast', { deleteUnknown: true }]);
});

test('what a pool is not is told: nothing to mount, nothing with generations', async (t) => {
  const { socketPath } = await serveFake(t);
  const path = await dunnage(['path', 'pool/fast', '--socket', socketPath]);
  assert.deepEqual([path.exitCode, path.stderr.includes('dunnage pool status fast')], [2, true]);
  const history = await dunnage(['projection', 'history', 'pool/fast', '--socket', socketPath]);
  assert.match(history.stderr, /a pool has no generations/);
});
