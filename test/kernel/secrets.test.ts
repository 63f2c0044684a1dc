/** Content of Secrets: never in clear on disk, in logs or in errors; gone with the key, and then never read as empty. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { loadNative } from '../../src/native/load.ts';
import type { DaemonProcess } from '../tools/daemon-process.ts';
import { killDaemon, projectionRoot, startDaemon } from './helpers/projected.ts';
import { run } from './helpers/run.ts';

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

/** The marker, as it is and as manifests write it. */
const forms = (marker: string): string[] => [marker, Buffer.from(marker).toString('base64').replace(/=+$/, '')];

function assertWithout(content: Buffer | string, markers: readonly string[], where: string): void {
  for (const form of markers.flatMap(forms)) assert.ok(!content.includes(form), `${where} holds the plain text`);
}

async function assertNowhere(markers: readonly string[]): Promise<void> {
  for await (const path of filesBelow(daemon.stateDir)) assertWithout(await readFile(path), markers, path);
  const log = await readFile(join(daemon.runtimeDir, 'dunnage.log'), 'utf8');
  assertWithout(log, markers, 'the log');
}

describe('a Secret', () => {
  it('[S10] is served as it is and stored sealed', async () => {
    await daemon.client.apply(manifest(PLAIN));
    const root = projectionRoot(daemon, 'secret.db');
    assert.equal(await readFile(join(root, 'password'), 'utf8'), PLAIN);
    assert.equal(await readFile(join(root, 'large'), 'utf8'), LARGE);
    await assertNowhere([PLAIN, 'large-secret-marker']);
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

  it('[S10] is in no log of any level, no answer, no error and no shared memory', async () => {
    await daemon.dunnage('down');
    await daemon.up('--log-level', 'debug');
    await daemon.client.apply(manifest(PLAIN));
    await readFile(join(projectionRoot(daemon, 'secret.db'), 'password'));
    const file = join(daemon.folder, 'wrong.yaml');
    await writeFile(file, `${manifest(PLAIN)}\nimmutable: ${PLAIN}\n`);
    const said: string[] = [];
    for (const words of [
      ['get', 'secret/db'],
      ['get', 'secret/db', '--json'],
      ['get', 'projections', '-o', 'wide'],
      ['status'],
      ['status', '--json'],
      ['apply', '-f', file, '--debug', '--json'],
    ]) {
      const outcome = await daemon.dunnage(...words).catch((error: { stdout: string; stderr: string }) => error);
      said.push(typeof outcome === 'string' ? outcome : `${outcome.stdout}${outcome.stderr}`);
    }
    assert.match(said.at(-1) ?? '', /INVALID_MANIFEST/);
    assertWithout(said.join('\n'), [PLAIN], 'what the command line says');
    const log = await readFile(join(daemon.runtimeDir, 'dunnage.log'), 'utf8');
    assert.match(log, /"level":20,/, 'the log has lines of the level debug');
    await assertNowhere([PLAIN, 'large-secret-marker']);
    const { pid, holderPid } = await daemon.client.status();
    const memories = [...(await memfdsOf(pid)), ...(await memfdsOf(holderPid as number))];
    assert.ok(memories.length >= 2, 'the daemon has shared memory, and the holder too');
    for (const path of memories) assertWithout(contentBetweenHoles(path), [PLAIN, 'large-secret-marker'], path);
    await rm(file);
  });

  it('[S26] keeps the key to its user, in locked memory, and the process from being looked into', async () => {
    assert.equal((await stat(join(daemon.runtimeDir, 'secret.key'))).mode & 0o777, 0o600);
    const { pid, sealingKey } = await daemon.client.status();
    assert.ok(sealingKey.keptOutOfSwap);
    assert.match(await readFile(`/proc/${pid}/limits`, 'utf8'), /Max core file size\s+0\s+0/);
    const locked = /^VmLck:\s+(\d+) kB/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
    // The keys of both threads and the page of the key file.
    assert.ok(Number(locked) >= 12, `${locked} KiB are locked`);
    for (const name of ['mem', 'environ', 'maps', 'fd', 'stack']) {
      const looked = run('setpriv', ['--reuid=1234', '--clear-groups', 'cat', `/proc/${pid}/${name}`]);
      await assert.rejects(looked, /Permission denied/, name);
    }
  });
});

async function memfdsOf(pid: number): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir(`/proc/${pid}/fd`)) {
    const path = `/proc/${pid}/fd/${name}`;
    // A descriptor may be closed meanwhile.
    if ((await readlink(path).catch(() => '')).includes('memfd:')) found.push(path);
  }
  return found;
}

/** Memory for tables is gigabytes of holes. */
function contentBetweenHoles(path: string): Buffer {
  const native = loadNative();
  const file = openSync(path, 'r');
  const parts: Buffer[] = [];
  try {
    for (let start = native.seekData(file, 0); start !== -1; ) {
      const end = native.seekHole(file, start);
      const part = Buffer.alloc(end - start);
      assert.equal(readSync(file, part, 0, part.length, start), part.length, path);
      parts.push(part);
      start = native.seekData(file, end);
    }
  } finally {
    closeSync(file);
  }
  return Buffer.concat(parts);
}

describe('a Secret sealed with a key file', () => {
  const keyFile = (name: string): string => join(daemon.folder, name);
  const reboot = async (...options: string[]): Promise<void> => {
    await daemon.dunnage('down');
    await rm(daemon.runtimeDir, { recursive: true });
    await daemon.up(...options);
  };
  const password = (): Promise<string> => readFile(join(projectionRoot(daemon, 'secret.db'), 'password'), 'utf8');

  before(async () => {
    for (const name of ['one.key', 'two.key']) await writeFile(keyFile(name), randomBytes(32), { mode: 0o600 });
  });

  it('[S27] survives a reboot, and kill -9', async () => {
    await reboot('--key-file', keyFile('one.key'));
    await daemon.client.apply(manifest(PLAIN));
    await reboot('--key-file', keyFile('one.key'));
    assert.equal(await password(), PLAIN);
    await killDaemon(daemon);
    await daemon.up('--key-file', keyFile('one.key'));
    assert.equal(await password(), PLAIN);
    const { sealingKey, warnings } = await daemon.client.status();
    assert.deepEqual([sealingKey.path, sealingKey.outlivesReboot], [keyFile('one.key'), true]);
    assert.deepEqual(warnings, []);
    await assertNowhere([PLAIN, 'large-secret-marker']);
  });

  it('[S27] awaits its source under another key, says so, and is readable with its own again', async () => {
    await reboot('--key-file', keyFile('two.key'));
    await assert.rejects(password(), { code: 'EIO' });
    assert.equal((await daemon.client.listProjections('Secret'))[0]?.awaitingSource, true);
    const { sealingKey, warnings } = await daemon.client.status();
    assert.match(warnings.join('\n'), new RegExp(`sealed with another key than ${sealingKey.id}`));
    await reboot('--key-file', keyFile('one.key'));
    assert.equal(await password(), PLAIN);
  });

  it('refuses a key file that others may read, or that is not there, with the command that mends it', async () => {
    await daemon.dunnage('down');
    await writeFile(keyFile('open.key'), randomBytes(32), { mode: 0o644 });
    await assert.rejects(daemon.up('--key-file', keyFile('open.key')), /chmod 600 .*open\.key/);
    await assert.rejects(daemon.up('--key-file', keyFile('none.key')), /head -c 32 \/dev\/urandom > .*none\.key/);
    await daemon.up('--key-file', keyFile('one.key'));
    assert.equal(await password(), PLAIN);
  });
});
