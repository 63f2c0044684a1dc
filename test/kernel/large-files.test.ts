/** Files of any length through the control API: memory that does not grow with them, and nothing left of what is broken off. */
import assert from 'node:assert/strict';
import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { MountedProjection } from '../../src/server/mounted-projection.ts';
import { filesBelow } from '../store/state-directory.ts';
import type { DaemonProcess } from '../tools/daemon-process.ts';
import { until } from '../tools/until.ts';
import { killDaemon, projectionRoot, startDaemon } from './helpers/projected.ts';
import { begin, run } from './helpers/run.ts';

const MIB = 1024 * 1024;
const HUGE_BYTES = 1024 * MIB;
/** Less than a third of the file; an idle daemon has about a hundred. */
const MEMORY_BYTES_MAX = 300 * MIB;
const DISK_BYTES = 64 * MIB;

let daemon: DaemonProcess;
beforeEach(async () => {
  daemon = await startDaemon();
});
afterEach(() => daemon.stop());

/** Bytes that no disk or file system can make smaller, and that need not be kept. */
async function* stream(sizeBytes: number, hash = createHash('sha256')): AsyncGenerator<Uint8Array> {
  const cipher = createCipheriv('aes-128-ctr', randomBytes(16), randomBytes(16));
  const zeros = Buffer.alloc(MIB);
  for (let left = sizeBytes; left > 0; left -= MIB) {
    const chunk = cipher.update(left < MIB ? zeros.subarray(0, left) : zeros);
    hash.update(chunk);
    yield chunk;
  }
}

/** Sends so much of an upload and then nothing; the daemon has all of it when it resolves. */
async function beginUpload(sizeBytes: number): Promise<ReturnType<typeof connect>> {
  const socket = connect({ path: join(daemon.runtimeDir, 'dunnage.sock') });
  socket.on('error', () => undefined);
  socket.write(
    `PUT /v1/projections/web/files/part HTTP/1.1\r\nhost: x\r\ncontent-type: application/octet-stream\r\ncontent-length: ${2 * sizeBytes}\r\n\r\n`,
  );
  for await (const chunk of stream(sizeBytes)) if (!socket.write(chunk)) await once(socket, 'drain');
  await until('the upload to arrive', async () => (await temporaries()).length > 0);
  return socket;
}

const temporaries = (): Promise<string[]> => readdir(join(daemon.stateDir, 'blobs/tmp'));
const contentFiles = (): readonly string[] => filesBelow(join(daemon.stateDir, 'blobs'));
const file = (name: string): string => join(projectionRoot(daemon, 'web'), name);

async function peakMemoryBytes(): Promise<number> {
  const { pid } = await daemon.client.status();
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) * 1024;
}

describe('large files', () => {
  it('[S90] of a GiB go up, and are read through the mount, byte for byte, in memory that does not grow with them', async () => {
    const web = new MountedProjection(daemon.client, 'web');
    await web.write({ small: { data: Buffer.from('small'), mode: 0o600 } });
    const sent = createHash('sha256');
    assert.deepEqual(await web.writeFile('huge', stream(HUGE_BYTES, sent), { mode: 0o640 }), { changed: true });
    const read = await begin('sha256sum', [file('huge')]).ended;
    assert.equal(read.stdout.split(' ')[0], sent.digest('hex'), read.stderr);
    assert.equal(await readFile(file('small'), 'utf8'), 'small');
    assert.ok((await peakMemoryBytes()) < MEMORY_BYTES_MAX, `${await peakMemoryBytes()} bytes at the peak`);
    // What stays is referred to, not copied.
    await web.writeFile('other', stream(10));
    assert.equal(contentFiles().length, 1);
    const { paths } = await daemon.client.getProjection('Projection', 'default', 'web');
    assert.deepEqual(
      paths.map(({ path, mode, sizeBytes }) => [path, mode, sizeBytes]),
      [
        ['huge', 0o640, HUGE_BYTES],
        ['other', 0o644, 10],
        ['small', 0o600, 5],
      ],
    );
  });

  it('come down whole', async () => {
    const sent = createHash('sha256');
    await daemon.client.writeFile('web', { path: 'a/b', content: stream(64 * MIB + 7, sent) });
    const received = createHash('sha256');
    const { sizeBytes, content } = await daemon.client.readFile('web', 'a/b');
    for await (const chunk of content) received.update(chunk);
    assert.equal(sizeBytes, 64 * MIB + 7);
    assert.equal(received.digest('hex'), sent.digest('hex'));
  });

  it('[S91] several on the command line are one swap', async () => {
    const [one, other] = ['one', 'other'].map((name) => join(daemon.folder, name)) as [string, string];
    await writeFile(one, randomBytes(5 * MIB));
    await writeFile(other, 'other');
    const words = ['--file', `tls/a=${one}`, '--file', `tls/b=${other}`, '--mode', '0400'];
    assert.match(await daemon.dunnage('projection', 'write', 'web', ...words), /^projection\/web created\n$/);
    assert.equal((await daemon.client.getProjection('Projection', 'default', 'web')).generation, 1);
    assert.deepEqual(await readFile(file('tls/a')), await readFile(one));
    assert.equal(await daemon.dunnage('projection', 'write', 'web', ...words), 'projection/web unchanged\n');
  });
});

describe('an upload that is broken off', () => {
  it('[S91] leaves nothing, and holds nobody up while it lasts', async () => {
    const socket = await beginUpload(8 * MIB);
    await daemon.client.writeFile('web', { path: 'a', content: stream(10) });
    assert.equal((await readFile(file('a'))).length, 10);
    assert.equal((await temporaries()).length, 1);
    socket.destroy();
    await until('the upload to be gone', async () => (await temporaries()).length === 0);
    assert.deepEqual(contentFiles(), []);
    await assert.rejects(readFile(file('part')), { code: 'ENOENT' });
  });

  it('[S91] by the death of the daemon leaves nothing after the next start', async () => {
    await daemon.client.writeFile('web', { path: 'a', content: stream(10) });
    const socket = await beginUpload(8 * MIB);
    await killDaemon(daemon);
    socket.destroy();
    assert.equal((await temporaries()).length, 1);
    await daemon.up();
    assert.deepEqual(contentFiles(), []);
    assert.deepEqual((await daemon.client.getProjection('Projection', 'default', 'web')).files, 1);
  });
});

describe('an upload to a full disk', () => {
  beforeEach(async () => {
    await daemon.dunnage('down');
    await run('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'none', daemon.stateDir]);
    await daemon.up();
  });
  afterEach(async () => {
    await daemon.dunnage('down');
    await run('umount', [daemon.stateDir]);
  });

  it('[S91] is NO_SPACE, leaves nothing, and succeeds when there is room', async () => {
    await daemon.client.writeFile('web', { path: 'a', content: stream(10) });
    await assert.rejects(daemon.client.writeFile('web', { path: 'b', content: stream(2 * DISK_BYTES) }), {
      code: 'NO_SPACE',
    });
    assert.deepEqual(contentFiles(), []);
    await assert.rejects(readFile(file('b')), { code: 'ENOENT' });
    assert.equal((await readFile(file('a'))).length, 10);
    await daemon.client.writeFile('web', { path: 'b', content: stream(DISK_BYTES / 4) });
    assert.equal((await readFile(file('b'))).length, DISK_BYTES / 4);
  });
});
