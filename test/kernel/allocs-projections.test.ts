/** Projections presented in tasks of allocs. */
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { after, afterEach, before, it } from 'node:test';
import type { DaemonProcess } from '../tools/daemon-process.ts';
import { until } from '../tools/until.ts';
import { allocManifest, backing, configMap, deleteAllocs, inAlloc, startHolding } from './helpers/alloc-daemon.ts';
import { killDaemon, startDaemon } from './helpers/projected.ts';

let daemon: DaemonProcess;
before(async () => {
  daemon = await startDaemon();
});
afterEach(() => deleteAllocs(daemon));
after(() => daemon.stop());

const presenting = (id: string, name: string, path = 'local/conf'): string =>
  allocManifest(id, { name: 'web', projections: [{ name, path }] });
const shown = (key: string): Promise<string> => readFile(inAlloc(daemon, 'a1/web/local/conf', key), 'utf8');

async function isPresented(): Promise<boolean> {
  const { tasks } = await daemon.client.getAlloc('a1');
  return tasks[0]?.projections[0]?.presented === true;
}

it('[S163] a projection is there read-only when apply returns, in one manifest with the alloc, and swaps show through', async () => {
  await daemon.client.apply(`${presenting('a1', 'configmap.first')}\n---\n${configMap('first', { key: 'old' })}`);
  assert.equal(await shown('key'), 'old');
  await assert.rejects(writeFile(inAlloc(daemon, 'a1/web/local/conf/x'), ''), { code: 'EROFS' });
  await daemon.client.apply(configMap('first', { key: 'new' }));
  assert.equal(await shown('key'), 'new');
});

it('[S163] one that does not exist is waited for with the reason, nothing can be written in its place, and it comes by itself', async () => {
  const [result] = await daemon.client.apply(presenting('a1', 'configmap.late'));
  assert.deepEqual(result?.warnings, ['web/local/conf waits: projections/configmap.late does not exist yet']);
  assert.match((await daemon.client.status()).warnings.join(), /alloc a1, task web: local\/conf waits/);
  await assert.rejects(writeFile(inAlloc(daemon, 'a1/web/local/conf/x'), ''), { code: 'EROFS' });
  assert.deepEqual(await readdir(backing(daemon, 'a1/web/local/conf')), []);
  await daemon.client.apply(configMap('late', { key: 'here' }));
  await until('it to be presented', isPresented);
  assert.equal(await shown('key'), 'here');
  assert.deepEqual((await daemon.client.getAlloc('a1')).notes, []);
});

it('one that is deleted goes, also if somebody reads it, and comes back as the new one', async (t) => {
  await daemon.client.apply(configMap('gone', { key: 'first' }));
  await daemon.client.apply(presenting('a1', 'configmap.gone'));
  const reader = await startHolding(
    t,
    'sh',
    '-c',
    'exec 3<"$0"; echo in; exec sleep 100',
    inAlloc(daemon, 'a1/web/local/conf/key'),
  );
  await daemon.client.deleteProjection('ConfigMap', 'default', 'gone');
  await until('it to go', async () => !(await isPresented()));
  assert.deepEqual(await readdir(inAlloc(daemon, 'a1/web/local/conf')), []);
  await daemon.client.apply(configMap('gone', { key: 'second' }));
  await until('it to be presented', isPresented);
  assert.equal(await shown('key'), 'second');
  await reader.end();
});

it('an audited one is presented too, and opens in the task are written down', async () => {
  const audited = JSON.stringify({
    ...{ apiVersion: 'dunnage/v1', kind: 'Projection', metadata: { name: 'watched' } },
    spec: { audit: true, files: [{ path: 'key', data: 'audited' }] },
  });
  await daemon.client.apply(audited);
  await daemon.client.apply(presenting('a1', 'watched'));
  assert.equal(await shown('key'), 'audited');
  // It is made with the first line.
  const written = (): Promise<string> => readFile(`${daemon.stateDir}/audit.log`, 'utf8').catch(() => '');
  await until('the line', async () => (await written()).includes('"watched"'));
});

it('it is there after a kill and after down and up, and shows the swaps of meanwhile', async () => {
  await daemon.client.apply(configMap('kept', { key: '1' }));
  await daemon.client.apply(presenting('a1', 'configmap.kept'));
  await killDaemon(daemon);
  await daemon.up();
  await daemon.client.apply(configMap('kept', { key: '2' }));
  assert.equal(await shown('key'), '2');
  await daemon.dunnage('down');
  await daemon.up();
  assert.equal(await shown('key'), '2');
  assert.equal(await isPresented(), true);
});

it("the manifest may take one away and present another, and the place of the first is the task's again", async () => {
  await daemon.client.apply(`${configMap('one', { key: '1' })}\n---\n${configMap('two', { key: '2' })}`);
  await daemon.client.apply(presenting('a1', 'configmap.one'));
  await daemon.client.apply(presenting('a1', 'configmap.two', 'local/deep/conf'));
  assert.deepEqual(await readdir(inAlloc(daemon, 'a1/web/local')), ['deep']);
  assert.equal(await readFile(inAlloc(daemon, 'a1/web/local/deep/conf/key'), 'utf8'), '2');
  await mkdir(inAlloc(daemon, 'a1/web/local/conf'));
  await writeFile(inAlloc(daemon, 'a1/web/local/conf/mine'), '');
});

it('a link or files of the task in its place are never followed or hidden: that is said, and mended when they are gone', async () => {
  await daemon.client.apply(configMap('blocked', { key: 'x' }));
  await daemon.client.apply(allocManifest('a1', { name: 'web' }));
  await symlink('/etc', inAlloc(daemon, 'a1/web/local/conf'));
  const [linked] = await daemon.client.apply(presenting('a1', 'configmap.blocked'));
  assert.match(linked?.warnings?.join() ?? '', /web\/local\/conf waits: .*conf/);
  await rm(inAlloc(daemon, 'a1/web/local/conf'));
  await mkdir(inAlloc(daemon, 'a1/web/local/conf'));
  await writeFile(inAlloc(daemon, 'a1/web/local/conf/mine'), '');
  await killDaemon(daemon);
  await daemon.up();
  assert.match((await daemon.client.getAlloc('a1')).notes.join(), /has files, which a mount would hide/);
  await rm(inAlloc(daemon, 'a1/web/local/conf'), { recursive: true });
  await killDaemon(daemon);
  await daemon.up();
  assert.equal(await shown('key'), 'x');
});

for (const [what, replace] of [
  ['moved away', async () => undefined],
  ['replaced by a link', (local: string) => symlink('/etc', local)],
  ['replaced by a file', (local: string) => writeFile(local, '')],
] as const) {
  it(`an alloc whose task has its directory of projections ${what} can be deleted`, async () => {
    await daemon.client.apply(configMap('held', { key: 'x' }));
    await daemon.client.apply(presenting('a1', 'configmap.held'));
    const local = inAlloc(daemon, 'a1/web/local');
    await rename(local, inAlloc(daemon, 'a1/web/gone'));
    await replace(local);
    assert.deepEqual(await daemon.client.deleteAlloc('a1'), { id: 'a1', deleted: true, awaiting: [] });
  });
}
