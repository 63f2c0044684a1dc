/** Content of Secrets: never in clear on disk, in logs or in errors; gone with the key, and then never read as empty. */
import assert from 'node:assert/strict';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { DaemonProcess } from '../tools/daemon-process.ts';
import { projectionRoot, startDaemon } from './helpers/projected.ts';

const PLAIN = 'correct-horse-battery-staple';
const LARGE = 'large-secret-marker\n'.repeat(10_000);

let daemon: DaemonProcess;
before(async () => {
  daemon = await startDaemon();
});
after(() => daemon.stop());

function manifest(password: string): string {
  const encode = (value: string): string => Buffer.from(value).toString('base64');
  return [
    'apiVersion: v1',
    'kind: Secret',
    'metadata: {name: db}',
    'type: Opaque',
    `data: {password: ${encode(password)}, large: ${encode(LARGE)}}`,
  ].join('\n');
}

async function* filesBelow(directory: string): AsyncIterable<string> {
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) yield join(entry.parentPath, entry.name);
  }
}

async function assertNowhere(markers: readonly string[]): Promise<void> {
  for await (const path of filesBelow(daemon.stateDir)) {
    const content = await readFile(path);
    for (const marker of markers) assert.ok(!content.includes(marker), `${path} holds the plain text`);
  }
  const log = await readFile(join(daemon.runtimeDir, 'dunnage.log'), 'utf8');
  for (const marker of markers) assert.ok(!log.includes(marker), 'the log holds the plain text');
}

describe('a Secret', () => {
  it('[S10] is served as it is and stored sealed', async () => {
    await daemon.client.apply(manifest(PLAIN));
    const root = projectionRoot(daemon, 'secret.db');
    assert.equal(await readFile(join(root, 'password'), 'utf8'), PLAIN);
    assert.equal(await readFile(join(root, 'large'), 'utf8'), LARGE);
    await assertNowhere([PLAIN, 'large-secret-marker', Buffer.from(PLAIN).toString('base64')]);
  });

  it('[S10] does not show up in errors or logs about a wrong manifest', async () => {
    const wrong = `${manifest(PLAIN)}\nstringData: {password2: {nested: ${PLAIN}}}\nunknown: ${PLAIN}\n`;
    await assert.rejects(daemon.client.apply(wrong), (error: Error & { remedy?: string }) => {
      assert.ok(!`${error.message}${error.remedy ?? ''}`.includes(PLAIN), error.message);
      return true;
    });
    await assertNowhere([PLAIN]);
  });

  it('tells nothing but sizes about its content', async () => {
    const detail = await daemon.client.getProjection('Secret', 'default', 'db');
    assert.deepEqual(
      detail.paths.map(({ path, sha256 }) => [path, sha256]),
      [
        ['large', undefined],
        ['password', undefined],
      ],
    );
  });

  it('[S10] survives a restart of the daemon', async () => {
    await daemon.dunnage('down', '--keep');
    await daemon.up();
    assert.equal(await readFile(join(projectionRoot(daemon, 'secret.db'), 'password'), 'utf8'), PLAIN);
  });

  it('[S10] awaits its source after a reboot: reads are EIO, never empty, and applying it again mends it', async () => {
    await daemon.dunnage('down');
    await rm(daemon.runtimeDir, { recursive: true });
    await daemon.up();
    const root = projectionRoot(daemon, 'secret.db');
    assert.equal((await stat(join(root, 'password'))).size, PLAIN.length);
    await assert.rejects(readFile(join(root, 'password')), { code: 'EIO' });
    await assert.rejects(readFile(join(root, 'large')), { code: 'EIO' });
    const [summary] = await daemon.client.listProjections('Secret');
    assert.equal(summary?.awaitingSource, true);
    await daemon.client.apply(manifest(PLAIN));
    assert.equal(await readFile(join(root, 'password'), 'utf8'), PLAIN);
    assert.equal((await daemon.client.listProjections('Secret'))[0]?.awaitingSource, false);
  });

  it('keeps the key to root, and the process from being dumped', async () => {
    assert.equal((await stat(join(daemon.runtimeDir, 'secret.key'))).mode & 0o777, 0o600);
    const { pid } = await daemon.client.status();
    const limits = await readFile(`/proc/${pid}/limits`, 'utf8');
    assert.match(limits, /Max core file size\s+0\s+0/);
  });
});
